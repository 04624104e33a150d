"""Digests by compiled code: published answers, and the standard library's for everything else."""

import hmac

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.runtime.sha256 import hmac_sha256, key_states

# RFC 4231, section 4: the cases whose key fits a block.
RFC_4231 = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (
        bytes(range(1, 26)),
        b"\xcd" * 50,
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
    ),
]


@pytest.mark.parametrize(("key", "message", "expected"), RFC_4231)
def test_the_answers_of_rfc_4231(key: bytes, message: bytes, expected: str) -> None:
    assert hmac_sha256(key, message).hex() == expected


# Where the padding needs a block of its own, and where it just does not.
@pytest.mark.parametrize("size", [0, 1, 3, 55, 56, 63, 64, 65, 119, 120, 127, 128, 129, 1000])
@pytest.mark.parametrize("key_size", [0, 16, 63, 64])
def test_every_length_around_a_block(size: int, key_size: int) -> None:
    key, message = bytes(range(7, 7 + key_size)), bytes(i * 37 & 0xFF for i in range(size))
    assert hmac_sha256(key, message) == hmac.digest(key, message, "sha256")


@given(st.binary(max_size=64), st.binary(max_size=300))
def test_it_is_the_digest_of_the_standard_library(key: bytes, message: bytes) -> None:
    assert hmac_sha256(key, message) == hmac.digest(key, message, "sha256")


def test_a_key_longer_than_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 64 bytes"):
        key_states(np.zeros(65, np.uint8))
