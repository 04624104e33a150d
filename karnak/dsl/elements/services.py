"""action.replace.api: values that an HTTP service gives."""

import re
from collections.abc import Mapping

from karnak.dsl.elements.reader import ElementReader, Meaning
from karnak.dsl.nodes import Scalar
from karnak.dsl.templates import read_template
from karnak.ir.expression import Escape, Template
from karnak.ir.profile import ReplaceFromService

_ARGUMENTS = frozenset({"url", "responsePath", "method", "body", "authConfig", "defaultValue"})
_METHODS = ("GET", "POST")
# The host is fixed: what an instance says must not choose who receives it.
_URL = re.compile(
    r"https?://[A-Za-z0-9.\-]+(?::[0-9]{1,5})?(?:[/?].*)?|https?://\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?(?:[/?].*)?"
)
_BAD_URL_CHARACTER = re.compile(r"[\s\x00-\x1f<>\"{}|\\^`]")
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*")


def _url(reader: ElementReader, text: Scalar) -> Template | None:
    template = read_template(text, Escape.URL, reader.findings)
    if template is None:
        return None
    start = template.parts[0] if template.parts and isinstance(template.parts[0], str) else ""
    if len(template.parts) > 1 and not re.match(r"https?://[^/?]+[/?]", start):
        reader.findings.add("K417", "the scheme and the host of a URL are fixed text", text.inner, "https://host/...")
        return None
    if not _URL.fullmatch(start):
        reader.findings.add("K417", "this is no URL of a service", text.inner, "https://host/...")
        return None
    for part in template.parts:
        if isinstance(part, str) and _BAD_URL_CHARACTER.search(part):
            reader.findings.add("K417", 'a URL holds no blanks and none of < > " { } | \\ ^ `', text.inner)
            return None
    return template


def _needed(reader: ElementReader, arguments: Mapping[str, Scalar], name: str) -> Scalar | None:
    text = arguments.get(name)
    if text is None:
        reader.argument_missing(name)
    return text


def _response_path(reader: ElementReader, text: Scalar) -> str | None:
    """A JSON Pointer (RFC 6901); the first slash may be left out."""
    pointer = text.text if text.text.startswith("/") else f"/{text.text}"
    if not _POINTER.fullmatch(pointer) or pointer == "/":
        reader.findings.add("K418", "this is no JSON Pointer", text.inner, "as /data/0/value; ~0 is ~ and ~1 is /")
        return None
    return pointer


def replace_from_service(reader: ElementReader) -> Meaning | None:
    """Where to ask, what to send, where in the answer the value stands, and what to take without one."""
    arguments, selector = reader.arguments(_ARGUMENTS), reader.selector(needed=True)
    url, path = _needed(reader, arguments, "url"), _needed(reader, arguments, "responsePath")
    template = _url(reader, url) if url is not None else None
    pointer = _response_path(reader, path) if path is not None else None
    method: str | None = "GET"
    if "method" in arguments:
        method = arguments["method"].text.upper()
        if method not in _METHODS:
            method = reader.choice(arguments["method"], "method", _METHODS)
    body = arguments.get("body")
    filled = read_template(body, Escape.JSON, reader.findings) if body is not None else None
    if method == "POST" and body is None:
        reader.findings.add("K415", "a POST request needs the argument body", arguments["method"].inner)
        return None
    if method == "GET" and body is not None:
        reader.findings.add("K416", "a GET request sends no body", body.span, "write method: POST, or leave it out")
    if template is None or pointer is None or method is None or (body is not None and filled is None):
        return None
    names = {name: arguments[name].text if name in arguments else None for name in ("authConfig", "defaultValue")}
    effect = ReplaceFromService(
        template, pointer, method, filled if method == "POST" else None, names["authConfig"], names["defaultValue"]
    )
    return Meaning(effect, selector)
