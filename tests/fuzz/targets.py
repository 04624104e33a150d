"""What is asked of the executor for any bytes at all: it ends, reads nothing outside, and says what the judge says.

Each target takes bytes and raises where something is wrong. The first byte chooses; the rest is an encoded dataset.
"""

import warnings
from functools import cache
from io import BytesIO

import numpy as np
from pydicom import Dataset, dcmread

from karnak.ir.expression import ACTION, BOOL, VR, Binary, BinaryOperator, Conditional, Current, CurrentName, Literal
from karnak.ir.profile import DATE_VRS, Evaluate, Shift, ShiftRange
from karnak.runtime.decode import decode_dataset
from karnak.runtime.deidentify import Engine, deidentify
from karnak.runtime.encoding import EXPLICIT, IMPLICIT, Encoding, UnreadableInstance, implicit_vr, stored
from karnak.runtime.outcome import Outcome
from karnak.runtime.part10 import wrap_part10
from karnak.runtime.program import Program
from karnak.runtime.scan import scan
from karnak.standard.confidentiality import Option
from karnak.testing import specimen
from karnak.testing.expressions import call, tag, text
from tests.property.executors import MODES, PROJECTS, answers
from tests.property.indexes import Found, flattened, rows_of
from tests.runtime.making import NOW, D, K, U, X, Z, basic, program, rule

# What lies around a dataset: none of it may have a say in what is found.
_AROUND = (bytes(64), b"\xff" * 64, b"\xfe\xff\xdd\xe0\0\0\0\0" * 8)


def scanner(data: bytes) -> None:
    """The scanner finds what the decoder finds, or refuses for the same reason, whatever lies around the dataset."""
    encoding, dataset = _chosen(data)
    decoded = _decoded(dataset, encoding)
    for around in _AROUND:
        assert _scanned(around + dataset + around, len(around), len(dataset), encoding) == decoded


def executor(data: bytes) -> None:
    """The executor gives what the interpreter gives; what is forwarded is read by others, too."""
    encoding, dataset = _chosen(data)
    choice = data[0] >> 1 if data else 0
    chosen, mode = programs()[choice % len(programs())], MODES[choice // len(programs()) % 2]
    syntax = specimen.IMPLICIT if encoding.implicit else specimen.EXPLICIT

    def run(engine: Engine) -> Outcome:
        return deidentify(
            dataset,
            chosen,
            PROJECTS[0],
            pseudonym="P-1",
            mode=mode,
            now=NOW,
            transfer_syntax_uid=syntax,
            engine=engine,
        )

    rewritten, judged = run("tables"), run("reference")
    assert answers(rewritten) == answers(judged)
    assert "internal error" not in (judged.reason or "")
    if rewritten.data is not None and not _is_read_by_others(rewritten.data):
        # A SpecificCharacterSet with a NUL in it, for instance, stays what it was.
        assert not _is_read_by_others(wrap_part10(dataset, syntax, "1.2.3", "1.2.3.4"))


TARGETS = {"scanner": scanner, "executor": executor}


@cache
def programs() -> tuple[Program, ...]:
    """Profiles that between them do everything that a rule can do."""
    this_is_long = Binary(
        BinaryOperator.AND,
        Binary(BinaryOperator.NOT_EQUAL, Current(CurrentName.VR, VR), Literal("SQ", VR), BOOL),
        call("tagHasValue", tag("PatientID")),
        BOOL,
    )
    asked = Evaluate(Conditional(this_is_long, call("Replace", text("new")), call("Keep"), ACTION))
    return (
        program(basic()),
        program(basic(Option.RETAIN_SAFE_PRIVATE, Option.RETAIN_MODIFIED_DATES, Option.RETAIN_UIDS)),
        program(
            rule(asked, "PatientName", "0008,XXXX", exclude=("SOPInstanceUID", "SOPClassUID")),
            rule(X, '(0009,"ACME 1.0",01)', "ReferencedStudySequence/ReferencedSOPInstanceUID"),
            rule(Z, "0010,XXXX", exclude=("PatientID",)),
            rule(D, "0018,XXXX", "0040,A730"),
            rule(K, private=True, when=call("tagIsPresent", tag("Modality"))),
            rule(ShiftRange(0, 365, 0, 86400), vrs=DATE_VRS),
            rule(U, "0020,000X", "0008,1155"),
        ),
        program(rule(Shift(30, 3600), vrs=DATE_VRS), rule(D, exclude=("SOPInstanceUID", "SOPClassUID", "7FE0,XXXX"))),
    )


def _chosen(data: bytes) -> tuple[Encoding, bytes]:
    return IMPLICIT if data[:1] and data[0] & 1 else EXPLICIT, data[1:]


def _decoded(dataset: bytes, encoding: Encoding) -> Found | str:
    try:
        return flattened(decode_dataset(dataset, encoding))
    except UnreadableInstance as refusal:
        return str(refusal)


def _scanned(data: bytes, start: int, size: int, encoding: Encoding) -> Found | str:
    try:
        index = scan(np.frombuffer(data, np.uint8), start, start + size, encoding.implicit)
    except UnreadableInstance as refusal:
        return str(refusal)
    return rows_of(index, data, start, start + size)


def _is_read_by_others(data: bytes) -> bool:
    """Tell whether pydicom reads every header, in items too; values stay as they are."""
    with warnings.catch_warnings():
        # Of character sets that nobody knows, for instance.
        warnings.simplefilter("ignore")
        try:
            _walk(dcmread(BytesIO(data)))
        except Exception:
            return False
    return True


def _walk(dataset: Dataset) -> None:
    for number in sorted(map(int, dataset.keys())):
        element = stored(dataset, number)
        vr = element.VR or implicit_vr(number)
        if vr == "SQ":
            for item in dataset[number].value:
                _walk(item)
