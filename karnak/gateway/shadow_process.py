"""The process that compares: a candidate is compiled in it, and instances are treated by both profiles.

Everything is asked of the interpreter, which is slow and says what it decides. Original and outputs stay in memory;
what goes back to the gateway are decisions and sentences, never values.
"""

import mmap
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle

from pydicom import Dataset
from pydicom.dataelem import RawDataElement

from karnak.dsl.diagnostics import Diagnostic
from karnak.dsl.nodes import Source
from karnak.gateway.compiling import compile_and_lint
from karnak.gateway.shadow_report import Comparison, Fate, differences
from karnak.gateway.spool_head import read_head
from karnak.ir.selector import format_tag
from karnak.runtime.deidentify import Mode, deidentify
from karnak.runtime.encoding import stored
from karnak.runtime.keys import Project
from karnak.runtime.outcome import Outcome, Status
from karnak.runtime.part10 import decode_instance
from karnak.runtime.program import Program


@dataclass(frozen=True, slots=True)
class Examined:
    """What became of a candidate's text.

    Attributes:
        digest: of its rules, or None where it has errors.
        profile: its name, or None where it has none.
        findings: what the linter says of it.
    """

    digest: str | None
    profile: str | None
    findings: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """What a destination's instances are treated by now; said once, and when it changes.

    Attributes:
        mode: "deid" or "morph".
        program: the active one.
        project: the destination's, for both.
    """

    mode: Mode
    program: Program
    project: Project


@dataclass(frozen=True, slots=True)
class Look:
    """An instance to compare; the descriptor of its spooled file follows.

    Attributes:
        transfer_syntax_uid: how its data set is encoded.
        pseudonym: the patient's, for both profiles, or None where there is none.
        now: when.
    """

    transfer_syntax_uid: str
    pseudonym: str | None = field(repr=False)
    now: datetime


def serve(connection: Connection) -> None:
    """Compile a candidate, then compare until the gateway hangs up.

    Args:
        connection: to the gateway: a Source, then Rules and Looks; answers are Examined, and to each Look a Comparison
            or, where there was an error, None.
    """
    source = connection.recv()
    assert isinstance(source, Source)
    compiled = compile_and_lint(source)
    candidate = compiled.program
    if candidate is None:
        connection.send(Examined(None, None, compiled.findings))
        return
    connection.send(Examined(candidate.digest, candidate.profile.name or None, compiled.findings))
    rules: Rules | None = None
    while True:
        said = connection.recv()
        if isinstance(said, Rules):
            rules = said
            continue
        assert isinstance(said, Look)
        assert rules is not None
        descriptor = recv_handle(connection)
        try:
            connection.send(_compare(descriptor, said, rules, candidate))
        except Exception:
            # Its text may quote the instance.
            connection.send(None)
        finally:
            os.close(descriptor)


def _compare(descriptor: int, look: Look, rules: Rules, candidate: Program) -> Comparison:
    size = os.fstat(descriptor).st_size
    with mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) as mapped:
        data = bytes(mapped)
    _, start = read_head(memoryview(data))
    return compare(memoryview(data)[start:], look, rules, candidate)


def compare(data: memoryview, look: Look, rules: Rules, candidate: Program) -> Comparison:
    """Treat an instance by both profiles.

    Args:
        data: its encoded data set.
        look: what else there is to know of it.
        rules: what it is treated by.
        candidate: what it is to be compared with.
    """

    def outcome(program: Program) -> Outcome:
        return deidentify(
            data,
            program,
            rules.project,
            pseudonym=look.pseudonym,
            mode=rules.mode,
            now=look.now,
            transfer_syntax_uid=look.transfer_syntax_uid,
            engine="reference",
        )

    one, other = outcome(rules.program), outcome(candidate)
    fates = _fate(one), _fate(other)
    if one.status is not Status.FORWARDED or other.status is not Status.FORWARDED:
        # Where only one lets the instance go, elements have nothing to be compared with.
        return Comparison(*fates)
    return Comparison(*fates, differences(one.changes, other.changes, (_values(one), _values(other))))


def _fate(outcome: Outcome) -> Fate:
    return Fate(str(outcome.status), outcome.reason or "")


def _values(outcome: Outcome) -> Mapping[str, object]:
    """What stands where in an output, by paths as decisions have them."""
    assert outcome.data is not None
    return dict(_leaves(decode_instance(outcome.data).dataset, ""))


def _leaves(dataset: Dataset, place: str) -> Iterator[tuple[str, object]]:
    for tag in sorted(map(int, dataset.keys())):
        element = stored(dataset, tag)
        path = place + format_tag(tag)
        if isinstance(element, RawDataElement):
            yield path, (element.VR, element.value)
            continue
        # An empty sequence is there, too.
        yield path, ("SQ", len(element.value))
        for number, item in enumerate(element.value):
            yield from _leaves(item, f"{path}[{number}]/")
