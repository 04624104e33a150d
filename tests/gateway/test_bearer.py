"""Bearer tokens: only who has one is let in, and a token is never shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.gateway.bearer import Token, find_token

ALICE, BOB = Token.of("ALICE", "a-long.token~1"), Token.of("BOB", "another+token/=")


@pytest.mark.parametrize(
    ("authorization", "found"),
    [
        ("Bearer a-long.token~1", ALICE),
        ("bearer   a-long.token~1 ", ALICE),
        ("BEARER another+token/=", BOB),
        ("Bearer a-long.token~2", None),
        ("Bearer a-long.token~", None),
        ("Bearer a-long.token~1 x", None),
        ("a-long.token~1", None),
        ("Basic a-long.token~1", None),
        ("Bearer", None),
        ("Bearer ", None),
        ("", None),
        (None, None),
        ("Bearer ä", None),
    ],
)
def test_only_a_known_token_is_found(authorization: str | None, found: Token | None) -> None:
    assert find_token([ALICE, BOB], authorization) == found
    assert find_token([BOB, ALICE], authorization) == found
    assert find_token([], authorization) is None


@given(st.text())
def test_nothing_else_lets_anybody_in(text: str) -> None:
    assert find_token([ALICE, Token.of("NOBODY", "")], text) is None
    assert find_token([ALICE, Token.of("NOBODY", "")], f"Bearer {text}") is None


def test_neither_the_token_nor_its_hash_is_shown() -> None:
    assert repr(ALICE) == "Token(name='ALICE')"
