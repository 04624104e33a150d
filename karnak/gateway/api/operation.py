"""An operation of the API, as data: the route and its page in the OpenAPI document are made from the same."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from karnak.errors import KarnakError
from karnak.gateway.api.house import House
from karnak.gateway.problem import problem

JSON = "application/json"
MAXIMUM_BODY = 64 << 10


class Input(BaseModel):
    """Parameters or a body; what it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Call:
    """A request that is well-formed.

    Attributes:
        house: the gateway.
        actor: who asks; None where nobody knows, which only open operations see.
        query: its parameters, as the operation's `query` has them.
        body: its body, as the operation's `body` has it.
    """

    house: House
    actor: str | None
    query: Any
    body: Any

    @property
    def person(self) -> str:
        """Who asks, where that is known."""
        assert self.actor is not None
        return self.actor


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is not the usual one.

    Attributes:
        status: its HTTP status, one of the operation's.
        value: its content.
    """

    status: int
    value: Any


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation.

    Attributes:
        method: GET or POST.
        path: where.
        name: its operationId.
        summary: what it does, in a sentence.
        handle: does it, in a thread; gives what `answer` says, or a Reply or Response.
        answer: type of the answer.
        status: HTTP status when it is done.
        media_type: of the answer.
        query: what parameters there may be, or None.
        body: what body there must be, or None.
        problems: HTTP statuses of what can go wrong, with their meaning; those of every operation are added.
        open: nobody has to say who they are.
        maximum_body: bytes of the longest body.
    """

    method: str
    path: str
    name: str
    summary: str
    handle: Callable[[Call], Any]
    answer: Any
    status: int = 200
    media_type: str = JSON
    query: type[Input] | None = None
    body: type[Input] | None = None
    problems: Mapping[int, str] = field(default_factory=dict)
    open: bool = False
    maximum_body: int = MAXIMUM_BODY

    def route(self, house: House, on_error: Callable[[Exception], None]) -> Route:
        """The route that carries it out.

        Args:
            house: the gateway.
            on_error: hears of what nobody has foreseen.
        """
        adapter: TypeAdapter[Any] = TypeAdapter(self.answer)

        async def endpoint(request: Request) -> Response:
            actor: str | None = getattr(request.state, "actor", None)
            try:
                query = self.query.model_validate(_parameters(request)) if self.query is not None else None
                body = await self._said(request)
            except ValidationError as error:
                return problem(400, _explain(error))
            except _TooLarge:
                return problem(413, f"a body has at most {self.maximum_body} bytes")
            except ValueError:
                return problem(400, "a parameter is given more than once")
            try:
                result = await run_in_threadpool(self.handle, Call(house, actor, query, body))
                if isinstance(result, Response):
                    return result
                reply = result if isinstance(result, Reply) else Reply(self.status, result)
                content = reply.value if self.media_type != JSON else adapter.dump_json(reply.value)
                return Response(content, reply.status, media_type=self.media_type)
            except KarnakError as error:
                return problem(503, str(error))
            except Exception as error:
                on_error(error)
                return problem(500, f"an internal error of type {type(error).__name__}; the journal has its place")

        return Route(self.path, endpoint, methods=[self.method], name=self.name)

    async def _said(self, request: Request) -> Input | None:
        """The body, as `body` has it."""
        if self.body is None:
            return None
        return self.body.model_validate_json(await _body(request, self.maximum_body))


class _TooLarge(Exception):
    pass


def _parameters(request: Request) -> Mapping[str, str]:
    items = request.query_params.multi_items()
    if len(dict(items)) != len(items):
        raise ValueError
    return dict(items)


async def _body(request: Request, maximum: int) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > maximum:
            raise _TooLarge
    return bytes(body)


def _explain(error: ValidationError) -> str:
    """What is wrong, without what was given."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(": ".join(filter(None, (".".join(map(str, one["loc"])), one["msg"]))) for one in found)
