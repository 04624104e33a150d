"""No value of the original is ever told: in no reason, warning, change, log or representation."""

import logging
import re
import struct
from collections.abc import Iterator
from typing import Literal as OneOf

import pytest

from karnak.ir.expression import BOOL, INT, Binary, BinaryOperator, Expression, Literal
from karnak.ir.expression import VR as VR_TYPE
from karnak.ir.profile import AddElement, AddPrivateElement, Evaluate, Rule, Shift, ShiftByTag, ShiftRange
from karnak.runtime.deidentify import deidentify
from karnak.runtime.outcome import Outcome, Status
from karnak.runtime.part10 import decode_instance, read_instance
from karnak.testing.expressions import call, method, number, tag, text
from karnak.testing.specimen import (
    BIG_ENDIAN,
    EXPLICIT,
    IMPLICIT,
    Element,
    Leaf,
    Specimen,
    encoded,
    leaf,
    padded,
    part10,
    sequence,
    tag_of,
)
from tests.runtime.making import (
    CT,
    NOW,
    PROJECT,
    D,
    K,
    U,
    X,
    Z,
    adding,
    basic,
    both_engines,
    program,
    rule,
    run,
    specimen,
)

# In every value: four letters that are no keyword, no hexadecimal digits and no word of a message.
TOKEN = "QZJX"
NUMBER = 31415926


def planted() -> Specimen:
    """An instance that has the token in every text and the number in every numeral, at every depth."""
    text_vrs = (
        "AE",
        "AS",
        "CS",
        "DA",
        "DS",
        "DT",
        "IS",
        "LO",
        "LT",
        "PN",
        "SH",
        "ST",
        "TM",
        "UC",
        "UI",
        "UN",
        "UR",
        "UT",
    )
    private: list[Element] = [leaf(0x00090010, f"{TOKEN} CREATOR", "LO")]
    private += [Leaf(0x00091000 + i, vr, padded(vr, TOKEN.encode())) for i, vr in enumerate(text_vrs)]
    told: list[Element] = [
        leaf("SpecificCharacterSet", TOKEN),
        leaf("StudyDate", TOKEN),
        leaf("StudyTime", TOKEN),
        leaf("AcquisitionDateTime", TOKEN),
        leaf("InstitutionName", f"{TOKEN} \xe9".encode("latin-1")),
        leaf("PatientName", f"{TOKEN}^{TOKEN}"),
        leaf("PatientAge", TOKEN),
        leaf("OtherPatientIDs", str(NUMBER)),
        leaf("SeriesNumber", TOKEN),
        leaf("InstanceNumber", str(NUMBER)),
        leaf("SimpleFrameList", (NUMBER,)),
        leaf("EncapsulatedDocument", TOKEN.encode() * 2),
        *private,
    ]
    inside = sequence("RequestAttributesSequence", told[4:8], [sequence("ReferencedStudySequence", told[4:8])])
    return specimen(*told, inside, patient_id=f"{TOKEN}-1")


def shown(outcome: Outcome) -> str:
    """Everything that an outcome says to people."""
    forwarded = outcome.status is Status.FORWARDED
    uids = () if forwarded else (outcome.sop_instance_uid, outcome.study_instance_uid, outcome.series_instance_uid)
    told = (outcome.reason, outcome.warnings, tuple(outcome.changes), outcome.sop_class_uid, uids, outcome.fallback)
    return repr(told) + (repr(outcome.changes) if not forwarded else "")


def _mistaken() -> frozenset[str]:
    """The token as a reader shows it that takes its letters for a tag or a length."""
    words = [(TOKEN * 2)[start : start + 4].encode() for start in range(4)]
    tags = {f"({word[:2].hex()},{word[2:].hex()})" for word in words}
    tags |= {f"({word[1::-1].hex()},{word[:1:-1].hex()})" for word in words}
    lengths = {str(int.from_bytes(word[:size], order)) for word in words for size in (2, 4) for order in ORDERS}
    return frozenset(text_.upper() for text_ in tags | lengths)


ORDERS: tuple[OneOf["little", "big"], ...] = ("little", "big")
MISTAKEN = _mistaken()


def silent(outcome: Outcome) -> None:
    said = shown(outcome).upper()
    assert TOKEN not in said
    assert str(NUMBER) not in said
    assert "INTERNAL ERROR" not in said
    assert not [word for word in re.findall(r"\([0-9A-F]{4},[0-9A-F]{4}\)|[0-9]+", said) if word in MISTAKEN]


@pytest.fixture(autouse=True)
def _nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert caplog.records == []


def get(name: str) -> Expression:
    return call("getString", tag(name))


def get_number(name: str) -> Expression:
    return call("getInt", tag(name))


def asks(expression: Expression, *names: str) -> Rule:
    return rule(Evaluate(expression), *names)


def is_seven(left: Expression) -> Expression:
    return Binary(BinaryOperator.EQUAL, left, number(7), BOOL)


def divided(left: Expression) -> Expression:
    return Binary(BinaryOperator.DIVIDE, left, number(0), INT)


RULES: dict[str, list[Rule]] = {
    "nothing": [],
    "keep": [rule(K)],
    "remove": [rule(X, "00XXXXXX", exclude=["0008XXXX", "PatientID"])],
    "empty": [rule(Z, exclude=["SOPInstanceUID", "SOPClassUID"])],
    "dummy": [rule(D, exclude=["SOPInstanceUID", "SOPClassUID"])],
    "uid": [rule(U, "00XXXXXX")],
    "uid of a document": [rule(U, "EncapsulatedDocument")],
    "uid of a text that cannot be read": [rule(U, "InstitutionName")],
    "basic": [basic()],
    "shift": [rule(Shift(3, 3))],
    "range": [rule(ShiftRange(1, 99, 1, 99))],
    "amount that is no number": [rule(ShiftByTag(tag_of("SeriesNumber"), None), vrs=["DA"])],
    "amount that is large": [rule(ShiftByTag(tag_of("InstanceNumber"), None), vrs=["DA"])],
    "copy": [asks(call("Replace", get("PatientName")), "StudyID", "PatientAge")],
    "copy what cannot be read": [asks(call("Replace", get("InstitutionName")), "PatientAge")],
    "copy to a number": [asks(call("Replace", get("PatientName")), "SimpleFrameList")],
    "copy to a document": [asks(call("Replace", get("PatientName")), "EncapsulatedDocument")],
    "copy to a time": [asks(call("ShiftDate", get_number("InstanceNumber"), number(0)), "PatientName")],
    "number that is none": [asks(call("ShiftDate", get_number("PatientName"), number(0)), "StudyDate")],
    "position": [asks(call("Replace", method(text("abc"), "charAt", get_number("InstanceNumber"))), "PatientName")],
    "substring": [asks(call("Replace", method(text("abc"), "substring", get_number("InstanceNumber"))), "PatientName")],
    "group": [asks(call("Replace", method(text("a"), "replaceAll", text("a"), text("$7"))), "PatientName")],
    "guard": [rule(X, "PatientName", when=is_seven(get_number("PatientName")))],
    "guard that divides": [rule(X, "PatientName", when=is_seven(divided(get_number("InstanceNumber"))))],
    "guard that cannot be read": [rule(X, when=call("tagValueContains", tag("InstitutionName"), text("x")))],
    "exclude": [asks(call("ExcludeInstance"), "PatientName")],
    "add": [adding(AddElement(0x00104000, "LT", "x")), adding(AddElement(0x30020010, "LO", "x"))],
    "add to a foreign block": [adding(AddPrivateElement(0x000910FF, "LO", "x", "ACME"))],
    "add a copy": [asks(call("Add", tag("PatientComments"), Literal("LT", VR_TYPE), get("PatientName")), "StudyDate")],
    "remove the uid": [rule(X, "SOPInstanceUID")],
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("mode", ["deid", "morph"])
def test_no_rule_makes_the_engine_tell_a_value(name: str, mode: str) -> None:
    chosen = RULES[name]
    outcome = run(planted(), *chosen, mode="deid" if mode == "deid" else "morph")
    silent(outcome)


@pytest.mark.parametrize("name", ["dummy", "basic", "shift", "copy to a number", "guard", "uid of a document"])
@pytest.mark.parametrize("syntax", [IMPLICIT, BIG_ENDIAN])
def test_nor_in_another_encoding(name: str, syntax: str) -> None:
    silent(run(Specimen(planted().elements, syntax), *RULES[name], mode="deid"))


def test_a_pseudonym_is_not_told_either() -> None:
    for pseudonym in (f"{TOKEN}\\{TOKEN}", f"{TOKEN}\n", TOKEN * 20, f"{TOKEN}\u5c71"):
        silent(run(specimen(), mode="deid", pseudonym=pseudonym))


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
def test_a_file_cut_anywhere_tells_nothing(syntax: str) -> None:
    # Texts of four letters are what a reader that has lost its way takes for tags and lengths.
    words = TOKEN * 3
    made = specimen(
        leaf("PatientName", words), sequence("RequestAttributesSequence", [leaf("StudyID", words)]), patient_id=words
    )
    data = encoded(made.elements, syntax)
    for length in range(len(data)):
        silent(both_engines(data[:length], program(), transfer_syntax_uid=syntax))


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
def test_a_length_that_lies_anywhere_tells_nothing(syntax: str) -> None:
    words = TOKEN * 3
    made = specimen(leaf("PatientName", words), leaf("PatientComments", words), leaf("StudyID", "7"), patient_id=words)
    data = encoded(made.elements, syntax)
    for offset in range(0, len(data) - 1, 2):
        for length in (0, 2, 4, 6, 300):
            wrong = data[:offset] + struct.pack("<H", length) + data[offset + 2 :]
            outcome = both_engines(wrong, program(), transfer_syntax_uid=syntax)
            if outcome.status is not Status.FORWARDED:
                silent(outcome)


def test_what_is_held_while_an_instance_is_worked_on_shows_nothing() -> None:
    data = part10(planted())
    for instance in (read_instance(data), decode_instance(data)):
        assert TOKEN not in repr(instance) + str(instance)
    for engine in ("reference", "tables"):
        outcome = deidentify(
            data,
            program(rule(K, "PatientName")),
            PROJECT,
            mode="morph",
            now=NOW,
            engine="reference" if engine == "reference" else "tables",
        )
        assert outcome.status is Status.FORWARDED
        assert TOKEN not in repr(outcome).replace(repr(outcome.sop_instance_uid), "")


def test_the_instance_of_these_tests_is_one() -> None:
    outcome = run(planted())
    assert outcome.status is Status.FORWARDED
    assert outcome.sop_class_uid == CT
