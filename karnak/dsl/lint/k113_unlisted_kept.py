"""K113 unlisted-kept."""

from collections.abc import Iterator

from karnak.dsl.diagnostics import Severity
from karnak.dsl.lint.registry import Finding, rule
from karnak.ir.profile import Apply, BasicProfile, Profile
from karnak.ir.selector import EVERY_TAG


@rule("K113", "unlisted-kept", Severity.INFO)
def unlisted_kept(profile: Profile) -> Iterator[Finding]:
    """Elements that no rule selects are kept as they are, and nothing in this profile catches them.

    Why it matters: names, dates and identifiers stand in many attributes; a list of some of them forgets the others.
    For tag morphing this is what is wanted; for de-identification it is not.
    Instead: end the profile with basic.dicom.profile, without a condition.
    """
    for one in profile.rules:
        catches = isinstance(one.effect, BasicProfile) or (
            isinstance(one.effect, Apply) and EVERY_TAG in one.selector.include and not one.selector.private_only
        )
        if catches and one.guard is None:
            return
    yield Finding("what no element selects is kept as it is", hint="end with basic.dicom.profile to de-identify")
