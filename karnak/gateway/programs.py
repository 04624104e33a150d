"""Profiles compiled once, and the same program for everyone who names the same file with the same text."""

from pathlib import Path

from karnak.dsl.compile import compile_profile
from karnak.dsl.diagnostics import Diagnostic, ProfileError
from karnak.dsl.nodes import Source
from karnak.dsl.source import open_source
from karnak.runtime.program import Program


class Programs:
    """Compiled profiles by file; a profile is compiled again when its text is another."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[str, Program | None, tuple[Diagnostic, ...]]] = {}
        # The last text may have had errors.
        self._last: dict[Path, Program] = {}

    def program(self, path: Path) -> tuple[Program | None, tuple[Diagnostic, ...]]:
        """Compile a profile, unless that was done before.

        A program that is given again has its decision tables: a reload does not make them anew.

        Args:
            path: file of the profile.

        Returns:
            The program, or None with what is wrong with the profile.
        """
        source, found = open_source(path)
        if found:
            return None, found
        known = self._known.get(path)
        if known is None or known[0] != source.text:
            program, found = _compile(source)
            if program is not None and path in self._last:
                # The first instance under the new rules need not wait for tables.
                program.take_over(self._last[path])
            if program is not None:
                self._last[path] = program
            known = self._known[path] = (source.text, program, found)
        return known[1:]


def _compile(source: Source) -> tuple[Program | None, tuple[Diagnostic, ...]]:
    try:
        program = compile_profile(source)
        # Worked out on first use otherwise, by an instance that waits for it.
        _ = program.digest
        return program, ()
    except ProfileError as error:
        return None, error.diagnostics
