"""K111 unnamed-profile."""

from collections.abc import Iterator

from karnak.dsl.diagnostics import Severity
from karnak.dsl.lint.registry import Finding, rule
from karnak.ir.profile import Profile


@rule("K111", "unnamed-profile", Severity.INFO)
def unnamed_profile(profile: Profile) -> Iterator[Finding]:
    """The profile has no name.

    Why it matters: the name goes into ClinicalTrialProtocolID and DeidentificationMethod of every
    instance, and tells people later by which rules it was de-identified.
    Instead: write name: "..." at the top.
    """
    if not profile.name.strip():
        yield Finding("the profile has no name", hint='write name: "..." at the top')
