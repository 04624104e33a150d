"""Warming up leaves nothing to be compiled for the instances that come."""

from karnak.runtime import assemble, plan, scan
from karnak.runtime.warm import warm_up


def test_warming_up_compiles_what_instances_need() -> None:
    warm_up()
    compiled = (
        scan._scan,
        scan.root_places,
        plan.make_plan,
        plan.edits_of,
        plan.put_made,
        assemble.measure,
        assemble.write,
    )
    assert [len(function.signatures) > 0 for function in compiled] == [True] * len(compiled)
    before = [list(function.signatures) for function in compiled]
    warm_up()
    assert [list(function.signatures) for function in compiled] == before
