"""What the reference engine's import accepts is accepted here, and what it refuses is refused, but for a list."""

import pytest

from karnak.dsl.compile import check_profile
from karnak.dsl.diagnostics import Severity
from karnak.dsl.source import Source
from tests.golden.cases import profile_texts, verdicts
from tests.golden.divergences import Divergences


def error_codes(profile: str) -> set[str]:
    _, found = check_profile(Source(f"{profile}.yml", profile_texts()[profile]))
    return {diagnostic.code for diagnostic in found if diagnostic.severity is Severity.ERROR}


@pytest.mark.parametrize("profile", sorted(verdicts()))
def test_profiles_are_judged_alike(profile: str) -> None:
    accepted_there = verdicts()[profile].get("valid") is True
    listed = Divergences.load()
    refusals = {refusal.profile: set(refusal.codes) for refusal in listed.refusals}
    codes = error_codes(profile)
    if profile in refusals:
        assert codes == refusals[profile]
    elif profile in listed.waiting.profiles:
        assert codes == {listed.waiting.code}
    elif accepted_there:
        assert not codes
    else:
        assert codes


def test_every_profile_has_a_verdict() -> None:
    assert set(verdicts()) == set(profile_texts())
