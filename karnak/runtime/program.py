"""Program: a checked profile ready to run, with the edition of the standard it runs against and a digest."""

from functools import cached_property
from typing import TYPE_CHECKING

from karnak.ir.profile import (
    CleanPixelData,
    CleanRecognizableVisualFeatures,
    Profile,
    ReplaceFromService,
    Rule,
)
from karnak.runtime.digest import digest_of
from karnak.standard.confidentiality import DEFAULT_EDITION
from karnak.standard.iods import has_iod

if TYPE_CHECKING:
    from collections.abc import Sequence

    from karnak.runtime.candidates import Candidates
    from karnak.runtime.conditions import Bits, Conditions
    from karnak.runtime.encoding import Encoding
    from karnak.runtime.lower import Table
    from karnak.runtime.stamp import Stamp

MAX_TABLES = 256
_WAITING = (ReplaceFromService, CleanPixelData, CleanRecognizableVisualFeatures)


class Program:
    """A profile that has passed every check.

    Args:
        profile: the checked profile.
        edition: edition of PS3.15 Table E.1-1, "2026c" or "2024e".
    """

    def __init__(self, profile: Profile, edition: str = DEFAULT_EDITION) -> None:
        self.profile = profile
        self.edition = edition
        # What always stands at the root of an output, by what it depends on; `rewrite` keeps it here with a bound.
        self.stamps: dict[tuple[object, ...], Stamp] = {}
        self._tables: dict[tuple[str | None, Bits, bool], Table] = {}

    def __reduce__(self) -> tuple[type["Program"], tuple[Profile, str]]:
        # What was built from the profile stays: whoever gets a copy builds what it needs.
        return Program, (self.profile, self.edition)

    @cached_property
    def waiting(self) -> Rule | None:
        """The first rule that asks for what the language has and the engine does not run yet, or None."""
        return next((rule for rule in self.profile.rules if isinstance(rule.effect, _WAITING)), None)

    @cached_property
    def conditions(self) -> "Conditions":
        """The conditions of this program, each once."""
        from karnak.runtime.conditions import Conditions

        return Conditions(self.profile.rules)

    @cached_property
    def candidates(self) -> "Candidates":
        """The rules of this program by the tags that they name."""
        from karnak.runtime.candidates import Candidates

        return Candidates(self.profile.rules)

    def table(self, sop_class_uid: str | None, bits: "Bits", encoding: "Encoding") -> "Table":
        """The decision table for one SOP Class and one outcome of the conditions; built on first use.

        Args:
            sop_class_uid: SOP Class UID of the instance, or None.
            bits: how each of `conditions` has come out.
            encoding: how the instance's dataset is encoded.
        """
        key = (sop_class_uid, bits, encoding.implicit)
        found = self._tables.get(key)
        if found is None:
            from karnak.runtime.lower import Table

            if sop_class_uid is not None and not has_iod(sop_class_uid):
                # All that have no IOD are decided alike: who invents SOP Classes cannot push the other tables out.
                return self.table(None, bits, encoding)
            if len(self._tables) >= MAX_TABLES:
                # The oldest goes; it is built again if it is needed again. A tuple: other threads may add meanwhile.
                self._tables.pop(next(iter(tuple(self._tables))), None)
            found = self._tables[key] = Table(self, sop_class_uid, bits, encoding)
        return found

    def tables(self) -> "Sequence[tuple[tuple[str | None, Bits, bool], Table]]":
        """The tables that are built, by SOP Class, outcome of the conditions, and whether VRs are implicit."""
        return tuple(self._tables.items())

    def take_over(self, old: "Program") -> None:
        """Fill tables as those of another program are, whose place this one takes; nobody may ask it yet.

        Args:
            old: the other program.
        """
        if old.table_count:
            from karnak.runtime.succession import take_over

            take_over(old, self)

    @property
    def table_count(self) -> int:
        """How many tables are built and kept; at most MAX_TABLES."""
        return len(self._tables)

    @cached_property
    def digest(self) -> str:
        """64 hexadecimal digits that name the profile's meaning, the edition and the engine's version."""
        return digest_of(self.profile, self.edition)
