"""The kinds of values in the gateway's configuration: AE titles, names, hosts, ports, addresses, times, amounts.

Texts are taken as they are written: an AE title of digits stays a text.
"""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

AE_TITLE_LENGTH = 16
_OWN_HEADERS = frozenset(
    {"accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "host", "te",
     "transfer-encoding", "upgrade"}
)  # fmt: skip


class Section(BaseModel):
    """A part of the configuration with settings of its own; what it doesn't know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _ae_title(text: str) -> str:
    """Check an AE title: 1 to 16 characters of the default repertoire, no backslash (PS3.5 section 6.2, VR AE)."""
    title = text.strip(" ")
    if not title:
        raise PydanticCustomError("ae_title", "an AE title has at least one character that is no space")
    if len(title) > AE_TITLE_LENGTH:
        raise PydanticCustomError("ae_title", "an AE title has at most 16 characters")
    if "\\" in title or not all(" " <= character <= "~" for character in title):
        raise PydanticCustomError(
            "ae_title", "an AE title is made of ASCII letters, digits and signs, without backslash"
        )
    return title


def _name(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise PydanticCustomError("name", "a name has printable characters, and at least one that is no space")
    return text.strip()


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or not text.isascii() or not text.isprintable() or " " in text:
        raise PydanticCustomError("url", "an address here begins with http:// or https:// and a host")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise PydanticCustomError("url", "an address here has no user, no password, no ? and no #")
    return text.rstrip("/")


def _header(text: str) -> str:
    """Check what a header says: visible ASCII and spaces (RFC 9110 section 5.5)."""
    if not all(" " <= character <= "~" for character in text):
        raise PydanticCustomError("header", "a header is made of ASCII letters, digits, signs and spaces")
    return text.strip()


def _header_name(text: str) -> str:
    """Check a header's name (RFC 9110 section 5.6.2); some are Karnak's own business."""
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", text):
        raise PydanticCustomError("header", "a header's name is made of ASCII letters, digits and dashes")
    if text.lower() in _OWN_HEADERS:
        raise PydanticCustomError("header", f"Karnak sets the header {text} itself")
    return text


AeTitle = Annotated[str, AfterValidator(_ae_title)]
Name = Annotated[str, Field(max_length=64), AfterValidator(_name)]
Host = Annotated[str, Field(min_length=1, max_length=253), AfterValidator(_name)]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Bytes = Annotated[int, Field(ge=0)]
Url = Annotated[str, Field(max_length=2048), AfterValidator(_url)]
Text = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_header)]
HeaderName = Annotated[str, Field(max_length=64), AfterValidator(_header_name)]
