"""The kinds of values in the gateway's configuration: AE titles, names, hosts, ports, times, amounts.

Texts are taken as they are written: an AE title of digits stays a text.
"""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

AE_TITLE_LENGTH = 16


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


AeTitle = Annotated[str, AfterValidator(_ae_title)]
Name = Annotated[str, Field(max_length=64), AfterValidator(_name)]
Host = Annotated[str, Field(min_length=1, max_length=253), AfterValidator(_name)]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Bytes = Annotated[int, Field(ge=0)]
