"""Bearer tokens: who may call an HTTP door, compared in a time that tells nothing of them. Source: RFC 6750."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

# RFC 6750 section 2.1, b68token.
_CREDENTIALS = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*) *", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Token:
    """A token as we keep it: not itself, but its hash.

    Attributes:
        name: whom it stands for, in logs; for the STOW-RS door, the AE title of the caller.
        digest: its SHA-256.
    """

    name: str
    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, name: str, text: str) -> "Token":
        """Take a token as it is written in a secret's file.

        Args:
            name: whom it stands for.
            text: the token.
        """
        return cls(name, _digest(text))


def find_token(tokens: Iterable[Token], authorization: str | None) -> Token | None:
    """Find the token that a request carries; it takes the same time whichever it is, and where it is none.

    Args:
        tokens: those that are known.
        authorization: value of the request's Authorization header, or None.
    """
    match = _CREDENTIALS.fullmatch(authorization or "")
    given = _digest(match[1] if match else "")
    found = None
    for token in tokens:
        if hmac.compare_digest(token.digest, given):
            found = token
    return found if match else None


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
