"""K112 unversioned-profile."""

from collections.abc import Iterator

from karnak.dsl.diagnostics import Severity
from karnak.dsl.lint.registry import Finding, rule
from karnak.ir.profile import Profile


@rule("K112", "unversioned-profile", Severity.INFO)
def unversioned_profile(profile: Profile) -> Iterator[Finding]:
    """The profile has no version.

    Why it matters: rules change while a study runs; the version tells instances of before and after apart.
    Instead: write version: "1.0" at the top and count on with every change.
    """
    if not profile.version.strip():
        yield Finding("the profile has no version", hint='write version: "1.0" at the top')
