"""Errors of HTTP doors as problem details, which people and programs can read. Source: RFC 9457."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, more: Mapping[str, object] | None = None
) -> JSONResponse:
    """Answer that a request failed.

    Args:
        status: HTTP status.
        detail: what is wrong and what to do; nothing of the request's content.
        headers: more headers.
        more: members that are special to this problem.
    """
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(dict(more or {}) | body, status, dict(headers or {}), MEDIA_TYPE)
