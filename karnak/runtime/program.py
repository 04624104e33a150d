"""Program: a checked profile ready to run, with the edition of the standard it runs against and a digest."""

import hashlib
import json
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from karnak.ir.profile import Profile
from karnak.ir.span import Span
from karnak.standard.confidentiality import DEFAULT_EDITION
from karnak.version import VERSION


class Program:
    """A profile that has passed every check.

    Args:
        profile: the checked profile.
        edition: edition of PS3.15 Table E.1-1, "2026c" or "2024e".
    """

    def __init__(self, profile: Profile, edition: str = DEFAULT_EDITION) -> None:
        self.profile = profile
        self.edition = edition

    @cached_property
    def digest(self) -> str:
        """64 hexadecimal digits that name the profile's meaning, the edition and the engine's version."""
        meaning = {"profile": _meaning(self.profile), "edition": self.edition, "engine": VERSION}
        text = json.dumps(meaning, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()


def _meaning(value: Any) -> Any:
    """Turn IR into JSON data without spans, so that comments and layout don't count."""
    if is_dataclass(value) and not isinstance(value, type):
        pairs = {f.name: _meaning(getattr(value, f.name)) for f in fields(value)}
        return {"is": type(value).__name__} | {k: v for k, v in pairs.items() if k != "span"}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, frozenset):
        return sorted(_meaning(item) for item in value)
    if isinstance(value, tuple):
        return [_meaning(item) for item in value]
    assert not isinstance(value, Span)
    return value
