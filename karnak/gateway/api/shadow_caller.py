"""How a command asks the gateway that runs for shadows."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from pydantic import BaseModel, TypeAdapter

from karnak.dsl.nodes import Source
from karnak.errors import KarnakError
from karnak.gateway.api.caller import NoAnswer, ask, read_answer
from karnak.gateway.api.house import Finding, ShadowStart
from karnak.gateway.house_plan import ApiPlan
from karnak.gateway.shadow_report import ShadowReport

_PATH = "/api/v1/shadows"
_SAID = frozenset({404, 409, 422})
_REPORT = TypeAdapter(ShadowReport)
_REPORTS: TypeAdapter[Sequence[ShadowReport]] = TypeAdapter(Sequence[ShadowReport])
_START = TypeAdapter(ShadowStart)


class _Problem(BaseModel):
    """What the gateway says where it doesn't do something."""

    detail: str
    findings: tuple[Finding, ...] = ()


_PROBLEM = TypeAdapter(_Problem)


class Refusal(KarnakError):
    """The gateway doesn't do it; the text says why.

    Attributes:
        findings: what is wrong with the candidate.
    """

    def __init__(self, why: str, findings: Sequence[Finding]) -> None:
        super().__init__(why)
        self.findings = findings


@dataclass(frozen=True, slots=True)
class ShadowCaller:
    """Asks a gateway for shadows.

    Attributes:
        gate: where its API listens, and what it wants to be shown.
    """

    gate: ApiPlan

    def reports(self) -> Sequence[ShadowReport]:
        """What each shadow has seen.

        Raises:
            NoAnswer: nobody answers there, or not as a gateway does.
        """
        return read_answer(self.gate, _REPORTS, self._ask("GET", _PATH))

    def start(self, destination: str, candidate: Source, seconds: int) -> ShadowStart:
        """Run a candidate beside the rules of a destination.

        Args:
            destination: its name.
            candidate: the text, with the name that findings call it by.
            seconds: for how long.

        Raises:
            NoAnswer: nobody answers there, or not as a gateway does.
            Refusal: there is no such destination, it has a shadow, or the candidate has errors.
        """
        order = {
            "destination": destination,
            "candidate": candidate.text,
            "name": candidate.name,
            "seconds": seconds,
        }
        return read_answer(self.gate, _START, self._ask("POST", _PATH, order))

    def end(self, destination: str) -> ShadowReport:
        """End the shadow of a destination.

        Raises:
            NoAnswer: nobody answers there, or not as a gateway does.
            Refusal: there is none.
        """
        return read_answer(self.gate, _REPORT, self._ask("POST", f"{_PATH}/end", {"destination": destination}))

    def _ask(self, method: str, path: str, body: dict[str, object] | None = None) -> bytes:
        status, content = ask(self.gate, method, path, body)
        if status in _SAID:
            said = read_answer(self.gate, _PROBLEM, content)
            raise Refusal(said.detail, said.findings)
        if not httpx.codes.is_success(status):
            host, port = self.gate.host, self.gate.port
            raise NoAnswer(f"the gateway at {host} port {port} answered with HTTP status {status}")
        return content
