"""A second run changes nothing where the rules are idempotent."""

from hypothesis import given, settings
from hypothesis import strategies as st

from karnak.ir.profile import Action, DatePart, Effect, Rule, TruncateDate
from karnak.runtime.program import Program
from karnak.testing.reading import leaves, read_part10
from karnak.testing.specimen import Specimen, part10
from karnak.testing.strategies import applications, profiles, specimens
from tests.runtime.making import X, Z, both_engines, program, rule

# Taking, emptying and keeping; a UID or a moved date is another one each time.
_IDEMPOTENT = frozenset({Action.REMOVE, Action.EMPTY, Action.KEEP})
truncations = st.sampled_from(DatePart).map(lambda part: rule(TruncateDate(part), vrs=["DA", "DT"]))
rules: st.SearchStrategy[Rule] = st.one_of(applications(_IDEMPOTENT), applications(_IDEMPOTENT), truncations)


# What a run claims to have done; the second one has less to do.
CLAIMS = ("(0012,0064)", "(0028,0303)")


@given(specimens(), profiles(rules).map(Program))
@settings(max_examples=120)
def test_a_second_run_changes_nothing(made: Specimen, chosen: Program) -> None:
    once = both_engines(part10(made), chosen)
    if once.data is None:
        return
    twice = both_engines(once.data, chosen)
    if twice.data is None:
        assert "PatientID" in (twice.reason or ""), "the first run took it"
    else:
        assert twice.data == once.data


@given(specimens(), profiles(rules).map(Program))
@settings(max_examples=80)
def test_de_identifying_twice_changes_nothing_but_what_is_claimed(made: Specimen, chosen: Program) -> None:
    once = both_engines(part10(made), chosen, mode="deid")
    if once.data is None:
        return
    twice = both_engines(once.data, chosen, mode="deid")
    assert twice.data is not None, twice.reason
    first, second = (
        {path: leaf for path, leaf in leaves(read_part10(each)[2]) if not path.startswith(CLAIMS)}
        for each in (once.data, twice.data)
    )
    assert first == second


@given(specimens())
@settings(max_examples=60)
def test_running_without_rules_is_idempotent(made: Specimen) -> None:
    once = both_engines(part10(made), program())
    assert once.data is not None
    assert both_engines(once.data, program()).data == once.data


@given(specimens(), st.lists(st.sampled_from([X, Z]), min_size=1, max_size=3))
@settings(max_examples=50)
def test_what_was_taken_stays_away(made: Specimen, effects: list[Effect]) -> None:
    chosen = program(*(rule(effect, "0010XXXX", exclude=["PatientID"]) for effect in effects))
    once = both_engines(part10(made), chosen)
    assert once.data is not None
    assert both_engines(once.data, chosen).data == once.data
