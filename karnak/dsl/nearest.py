"""Did you mean: the known word that is nearest to a mistyped one, found in bounded time."""

from collections.abc import Collection
from functools import lru_cache

_LONGEST_WORD = 64


@lru_cache(maxsize=16384)
def _letters(word: str) -> int:
    """Which letters a word has, as bits: words with few edits between them differ in few bits."""
    bits = 0
    for character in word:
        bits |= 1 << (ord(character) & 63)
    return bits


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
    letters = _letters(low)
    for candidate in known:
        other = candidate.casefold()
        if len(other) == len(low) and sorted(other.split("_")) == parts:
            return candidate  # the same words in another order
        if abs(len(other) - len(low)) > limit or (letters ^ _letters(other)).bit_count() > 2 * limit:
            continue
        distance = _distance(low, other, limit)
        if distance <= limit:
            # Among equally near ones, most often the first letter is right.
            score = (distance, other[:1] != low[:1], candidate)
            best = score if best is None else min(best, score)
            limit = best[0]
    return best[2] if best is not None else None
