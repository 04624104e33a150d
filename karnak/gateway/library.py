"""The library: profiles compiled once, and the same program for everyone who names the same file."""

from pathlib import Path

from karnak.dsl.compile import compile_profile
from karnak.dsl.diagnostics import Diagnostic, ProfileError
from karnak.runtime.program import Program


class Library:
    """Compiled profiles by file."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[Program | None, tuple[Diagnostic, ...]]] = {}

    def program(self, path: Path) -> tuple[Program | None, tuple[Diagnostic, ...]]:
        """Compile a profile, unless that was done before.

        Args:
            path: file of the profile.

        Returns:
            The program, or None with what is wrong with the profile.
        """
        if path not in self._known:
            try:
                self._known[path] = compile_profile(path), ()
            except ProfileError as error:
                self._known[path] = None, error.diagnostics
        return self._known[path]
