"""Private creators by number, in arrays that the plan looks through; numbers are never given twice."""

import numpy as np

from karnak.runtime.plan import creator_slot
from karnak.runtime.table import MAX_CREATORS

_SLOTS = 1 << 14


class TooManyCreators(Exception):
    """No more numbers are left for private creators; the interpreter takes the instance."""


class Creators:
    """All private creators that were met, 1 to MAX_CREATORS - 1."""

    def __init__(self) -> None:
        self.slots = np.zeros(_SLOTS, np.int64)
        self.places = np.zeros((MAX_CREATORS, 2), np.int64)
        self.texts = np.frombuffer(b"\0", np.uint8)
        self._text: list[str | None] = [None]
        self._bytes = bytearray()

    def add(self, value: bytes) -> None:
        """Give a creator a number, unless it has one.

        Args:
            value: the encoded value of its element.

        Raises:
            TooManyCreators: none is left.
        """
        trimmed = value.strip(b" \0")
        text = trimmed.decode("latin-1")
        if text in self._text:
            return
        number = len(self._text)
        if number >= MAX_CREATORS:
            raise TooManyCreators
        self.places[number] = (len(self._bytes), len(trimmed))
        self._bytes += trimmed
        self.texts = np.frombuffer(bytes(self._bytes), np.uint8)
        self._text.append(text)
        self.slots[creator_slot(np.frombuffer(trimmed, np.uint8), self.slots)] = number

    def text(self, number: int) -> str | None:
        """The text of a creator; None for number 0."""
        return self._text[number]
