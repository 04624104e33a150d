"""SHA-256 and HMAC-SHA256 of short messages in compiled code, without an object per digest.

A key is turned into two states once; a digest of up to 55 bytes then costs two blocks. Source: FIPS 180-4, RFC 2104.
"""

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Words = NDArray[np.uint32]
    Bytes = NDArray[np.uint8]

BLOCK = 64
# Rows of what a key is turned into.
INNER = 0
OUTER = 1
# Words that a digest is worked out in: a message schedule, then the state.
WORK_WORDS = 72
_STATE = 64
# Bytes of a block that its padding takes at least: a bit that is set, and 8 bytes of length.
_PADDING = 9


def _primes(count: int) -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def _root_bits(prime: int, power: int) -> int:
    """The first 32 bits of the fraction of a square or cube root (FIPS 180-4, 4.2.2 and 5.3.3)."""
    # The root of prime * 2^(32 * power), rounded down: found bit by bit, so that no floating point comes in.
    wanted = prime << 32 * power
    root = 0
    for bit in reversed(range(40)):
        if (root | 1 << bit) ** power <= wanted:
            root |= 1 << bit
    return root & 0xFFFFFFFF


_FIRST = np.array([_root_bits(prime, 2) for prime in _primes(8)], np.uint32)
_ROUND = np.array([_root_bits(prime, 3) for prime in _primes(64)], np.uint32)


@njit(cache=True, inline="always")
def _turned(word: np.uint32, bits: int) -> np.uint32:
    return np.uint32(word >> np.uint32(bits) | word << np.uint32(32 - bits))


@njit(cache=True)
def _compress(work: "Words") -> None:
    """One block: its 16 words stand at the beginning of `work`, the state behind the schedule."""
    for i in range(16, 64):
        x, y = work[i - 15], work[i - 2]
        s0 = _turned(x, 7) ^ _turned(x, 18) ^ np.uint32(x >> np.uint32(3))
        s1 = _turned(y, 17) ^ _turned(y, 19) ^ np.uint32(y >> np.uint32(10))
        work[i] = np.uint32(work[i - 16] + s0 + work[i - 7] + s1)
    a, b, c, d = work[_STATE], work[_STATE + 1], work[_STATE + 2], work[_STATE + 3]
    e, f, g, h = work[_STATE + 4], work[_STATE + 5], work[_STATE + 6], work[_STATE + 7]
    for i in range(64):
        s1 = _turned(e, 6) ^ _turned(e, 11) ^ _turned(e, 25)
        t1 = np.uint32(h + s1 + (g ^ (e & (f ^ g))) + _ROUND[i] + work[i])
        s0 = _turned(a, 2) ^ _turned(a, 13) ^ _turned(a, 22)
        t2 = np.uint32(s0 + ((a & b) | (c & (a | b))))
        h, g, f = g, f, e
        e = np.uint32(d + t1)
        d, c, b = c, b, a
        a = np.uint32(t1 + t2)
    work[_STATE] = np.uint32(work[_STATE] + a)
    work[_STATE + 1] = np.uint32(work[_STATE + 1] + b)
    work[_STATE + 2] = np.uint32(work[_STATE + 2] + c)
    work[_STATE + 3] = np.uint32(work[_STATE + 3] + d)
    work[_STATE + 4] = np.uint32(work[_STATE + 4] + e)
    work[_STATE + 5] = np.uint32(work[_STATE + 5] + f)
    work[_STATE + 6] = np.uint32(work[_STATE + 6] + g)
    work[_STATE + 7] = np.uint32(work[_STATE + 7] + h)


@njit(cache=True)
def _begin(state: "Words", work: "Words") -> None:
    for i in range(8):
        work[_STATE + i] = state[i]


@njit(cache=True)
def _end(data: "Bytes", start: int, stop: int, before: int, work: "Words") -> None:
    """Take in the last bytes of a message and its padding, after `before` bytes that were taken in already."""
    size = stop - start
    bits = (before + size) * 8
    blocks = (size + _PADDING + BLOCK - 1) // BLOCK
    for block in range(blocks):
        for i in range(16):
            word = np.uint32(0)
            at = block * BLOCK + 4 * i
            if at + 4 <= size:
                p = start + at
                word = np.uint32(
                    np.uint32(data[p]) << 24
                    | np.uint32(data[p + 1]) << 16
                    | np.uint32(data[p + 2]) << 8
                    | np.uint32(data[p + 3])
                )
            else:
                for k in range(4):
                    byte = np.uint32(0)
                    if at + k < size:
                        byte = np.uint32(data[start + at + k])
                    elif at + k == size:
                        byte = np.uint32(0x80)
                    word = np.uint32(word << np.uint32(8) | byte)
            work[i] = word
        if block == blocks - 1:
            work[14], work[15] = np.uint32(bits >> 32), np.uint32(bits & 0xFFFFFFFF)
        _compress(work)


@njit(cache=True)
def key_states(key: "Bytes") -> "Words":
    """Turn a key into the states that its digests begin with, rows INNER and OUTER.

    Args:
        key: uint8, up to 64 bytes.

    Raises:
        ValueError: the key is longer; it would have to be digested first.
    """
    if key.shape[0] > BLOCK:
        raise ValueError("a key of more than 64 bytes")
    states = np.empty((2, 8), np.uint32)
    work = np.empty(WORK_WORDS, np.uint32)
    for row in range(2):
        pad = 0x36 if row == INNER else 0x5C
        _begin(_FIRST, work)
        for i in range(16):
            word = np.uint32(0)
            for k in range(4):
                byte = pad ^ (np.int64(key[4 * i + k]) if 4 * i + k < key.shape[0] else 0)
                word = np.uint32(word << np.uint32(8) | np.uint32(byte))
            work[i] = word
        _compress(work)
        for i in range(8):
            states[row, i] = work[_STATE + i]
    return states


@njit(cache=True)
def digest(states: "Words", data: "Bytes", start: int, stop: int, work: "Words") -> None:
    """HMAC-SHA256 of `data[start:stop]`.

    Args:
        states: what `key_states` gave.
        data: uint8.
        start: first byte of the message.
        stop: the byte after it.
        work: WORK_WORDS words; the digest is in its last eight afterwards.
    """
    _begin(states[INNER], work)
    _end(data, start, stop, BLOCK, work)
    # The second message is the first digest: one block, padded.
    for i in range(8):
        work[i] = work[_STATE + i]
    work[8] = np.uint32(0x80000000)
    for i in range(9, 15):
        work[i] = np.uint32(0)
    work[15] = np.uint32((BLOCK + 32) * 8)
    _begin(states[OUTER], work)
    _compress(work)


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """HMAC-SHA256 as the standard library gives it, by way of the compiled functions.

    Args:
        key: up to 64 bytes.
        message: of any length.
    """
    work = np.empty(WORK_WORDS, np.uint32)
    digest(key_states(np.frombuffer(key, np.uint8)), np.frombuffer(message, np.uint8), 0, len(message), work)
    return work[_STATE:].astype(">u4").tobytes()
