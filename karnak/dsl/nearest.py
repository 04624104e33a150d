"""Did you mean: the known word that is nearest to a mistyped one, found in bounded time."""

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import NamedTuple

_LONGEST_WORD = 64


def _letters(word: str) -> int:
    """Which letters a word has, as bits: words with few edits between them differ in few bits."""
    bits = 0
    for character in word:
        bits |= 1 << (ord(character) & 63)
    return bits


class _Word(NamedTuple):
    """A known word, as it is compared."""

    word: str
    low: str
    length: int
    letters: int


def _prepare(known: Iterable[str]) -> tuple[_Word, ...]:
    return tuple(_Word(word, low := word.casefold(), len(low), _letters(low)) for word in known)


# The keywords of the dictionary are asked for again and again.
_prepare_once = lru_cache(maxsize=4)(_prepare)


def _distance(one: str, other: str, limit: int) -> int:
    """Count edits (insert, delete, replace, swap neighbours), giving up above `limit`."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and b == one[i - 2]:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
        before, last = last, row
    return last[-1]


def nearest(word: str, known: Collection[str]) -> str | None:
    """Find the known word that a mistyped one most likely means.

    Args:
        word: what was written.
        known: what could have been meant.

    Returns:
        A word of `known`, or None where nothing is near enough.
    """
    if not word or len(word) > _LONGEST_WORD:
        return None
    low = word.casefold()
    parts = sorted(low.split("_"))
    # One or two letters are too little to guess from: only another case of them is meant.
    limit = 0 if len(low) < 3 else min(3, max(1, len(low) // 3))
    best: tuple[int, bool, str] | None = None
    length, letters = len(low), _letters(low)
    for candidate in _prepare_once(known) if isinstance(known, frozenset) else _prepare(known):
        if len(parts) > 1 and candidate.length == length and sorted(candidate.low.split("_")) == parts:
            return candidate.word  # the same words in another order
        if abs(candidate.length - length) > limit or (letters ^ candidate.letters).bit_count() > 2 * limit:
            continue
        distance = _distance(low, candidate.low, limit)
        if distance <= limit:
            # Among equally near ones, most often the first letter is right.
            score = (distance, candidate.low[:1] != low[:1], candidate.word)
            best = score if best is None else min(best, score)
            limit = best[0]
    return best[2] if best is not None else None
