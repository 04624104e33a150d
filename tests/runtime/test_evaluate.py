"""Expressions on an instance, walked as trees (section 4)."""

from typing import Any

import pytest

from karnak.ir.expression import (
    ACTION,
    BOOL,
    INT,
    NULL,
    NUMBER,
    STR,
    TAG,
    VR,
    Binary,
    BinaryOperator,
    Conditional,
    Current,
    CurrentName,
    Elvis,
    Expression,
    Index,
    Kind,
    Literal,
    MethodCall,
    Type,
    Unary,
    UnaryOperator,
)
from karnak.ir.strings import EvaluationError
from karnak.runtime.dates import Amount
from karnak.runtime.decision import Decision, Verb
from karnak.runtime.evaluate import CurrentElement, condition_holds, evaluate
from karnak.runtime.part10 import Instance, read_instance
from karnak.runtime.repertoire import TextError
from karnak.testing.expressions import call, method, number, tag, text
from karnak.testing.specimen import IMPLICIT, Leaf, encoded, leaf, part10, sequence
from tests.runtime.making import specimen

NOTHING = Literal(None, NULL)
INSTANCE = read_instance(
    part10(
        specimen(
            leaf("ImageType", "ORIGINAL\\PRIMARY\\AXIAL"),
            leaf("Modality", "CT"),
            leaf("InstitutionName", "  "),
            leaf("ReferencedImageSequence", b"", "SQ"),
            sequence("RequestAttributesSequence", [leaf("AccessionNumber", "A-1"), leaf("StudyID", "7")], []),
            leaf("PatientName", " DOE^JANE "),
            leaf("PatientSex", ""),
            leaf("PatientAge", "047Y"),
            leaf("PatientComments", "a\\b"),
            leaf("SliceThickness", "1.25 "),
            leaf("SeriesNumber", "-3"),
            leaf("Rows", 512),
            leaf("SimpleFrameList", (1, 2, 3)),
            leaf("FrameIncrementPointer", 0x00181063),
            leaf("PixelData", b"\1\2\3\4", "OW"),
            leaf(0x00090010, "ACME", "LO"),
            leaf(0x00091001, "x", "LO"),
        )
    )
)
HERE = CurrentElement(0x00100010, "PN", lambda: "DOE^JANE")


def ask(expression: Expression, instance: Instance = INSTANCE, current: CurrentElement | None = None) -> Any:
    return evaluate(expression, instance, current)


def infix(left: Expression, operator: BinaryOperator, right: Expression, gives: Type = BOOL) -> Binary:
    return Binary(operator, left, right, gives)


def get(name: str) -> Expression:
    return call("getString", tag(name))


# --- functions ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Modality", "CT"),
        ("ImageType", "ORIGINAL\\PRIMARY\\AXIAL"),
        ("PatientName", "DOE^JANE"),
        ("SliceThickness", "1.25"),
        ("PatientComments", "a\\b"),
        ("Rows", "512"),
        ("SimpleFrameList", "1\\2\\3"),
        ("FrameIncrementPointer", "00181063"),
        ("PatientSex", None),
        ("InstitutionName", None),
        ("StudyDate", None),
        ("RequestAttributesSequence", None),
        ("PixelData", None),
    ],
)
def test_get_string_joins_values_and_gives_null_for_what_is_absent_or_empty(name: str, value: str | None) -> None:
    assert ask(get(name)) == value


def test_get_string_reads_private_elements() -> None:
    assert ask(call("getString", tag(0x00091001))) == "x"


@pytest.mark.parametrize(
    ("function", "name", "wanted", "answer"),
    [
        ("tagValueIsPresent", "Modality", "CT", True),
        ("tagValueIsPresent", "Modality", "C", False),
        ("tagValueIsPresent", "ImageType", "ORIGINAL\\PRIMARY\\AXIAL", True),
        ("tagValueIsPresent", "ImageType", "PRIMARY", False),
        ("tagValueContains", "ImageType", "PRIMARY", True),
        ("tagValueContains", "ImageType", "L\\P", True),
        ("tagValueBeginsWith", "ImageType", "ORIG", True),
        ("tagValueBeginsWith", "ImageType", "PRIM", False),
        ("tagValueEndsWith", "ImageType", "AXIAL", True),
        ("tagValueEndsWith", "PatientName", "JANE", True),
        ("tagValueIn", "Modality", "CT", True),
        ("tagValueIn", "Modality", "MR", False),
        ("tagValueMatches", "Modality", "[A-Z]{2}", True),
        ("tagValueMatches", "ImageType", "ORIG", False),
    ],
)
def test_tag_value_functions_ask_the_joined_text(function: str, name: str, wanted: str, answer: bool) -> None:
    assert ask(call(function, tag(name), text(wanted))) is answer


@pytest.mark.parametrize(
    "function",
    [
        "tagValueIsPresent",
        "tagValueContains",
        "tagValueBeginsWith",
        "tagValueEndsWith",
        "tagValueIn",
        "tagValueMatches",
    ],
)
@pytest.mark.parametrize("name", ["StudyDate", "PatientSex", "InstitutionName", "RequestAttributesSequence"])
def test_every_tag_value_function_is_false_on_null(function: str, name: str) -> None:
    assert ask(call(function, tag(name), text(""))) is False


@pytest.mark.parametrize(
    "function", ["tagValueIsPresent", "tagValueContains", "tagValueBeginsWith", "tagValueEndsWith"]
)
def test_a_value_is_never_compared_with_null(function: str) -> None:
    assert ask(call(function, tag("Modality"), NOTHING)) is False


def test_tag_value_in_takes_many() -> None:
    assert ask(call("tagValueIn", tag("Modality"), text("MR"), NOTHING, text("CT"))) is True


@pytest.mark.parametrize(
    ("name", "present", "has_value", "anywhere", "count"),
    [
        ("Modality", True, True, True, 1),
        ("ImageType", True, True, True, 3),
        ("PatientSex", True, False, True, 0),
        ("InstitutionName", True, False, True, 0),
        ("RequestAttributesSequence", True, True, True, 2),
        ("ReferencedImageSequence", True, False, True, 0),
        ("PixelData", True, True, True, 1),
        ("PatientComments", True, True, True, 1),
        ("SimpleFrameList", True, True, True, 3),
        ("AccessionNumber", False, False, True, 0),
        ("StudyDate", False, False, False, 0),
    ],
)
def test_presence(name: str, present: bool, has_value: bool, anywhere: bool, count: int) -> None:
    assert ask(call("tagIsPresent", tag(name))) is present
    assert ask(call("tagHasValue", tag(name))) is has_value
    assert ask(call("tagIsPresentAnywhere", tag(name))) is anywhere
    assert ask(call("count", tag(name))) == count


def test_numbers_are_read_from_text_and_from_binary() -> None:
    assert ask(call("getInt", tag("Rows"))) == 512
    assert ask(call("getInt", tag("SeriesNumber"))) == -3
    assert ask(call("getNumber", tag("SliceThickness"))) == 1.25
    assert ask(call("getInt", tag("StudyDate"))) is None
    assert ask(call("getNumber", tag("PatientSex"))) is None


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("getInt", "SliceThickness"),
        ("getInt", "PatientName"),
        ("getNumber", "PatientAge"),
        ("getInt", "SimpleFrameList"),
    ],
)
def test_a_text_that_is_no_number_is_an_error_that_does_not_repeat_it(function: str, name: str) -> None:
    with pytest.raises(EvaluationError, match=r"the value of \(....,....\) is no (whole )?number") as caught:
        ask(call(function, tag(name)))
    assert not any(part in str(caught.value) for part in ("1.25", "DOE", "047Y"))


@pytest.mark.parametrize("written", ["1_0", "0x10", "\u0661", "1e3", "nan", "+-1"])
def test_a_whole_number_is_digits_and_a_sign(written: str) -> None:
    other = read_instance(part10(specimen(
        leaf("SpecificCharacterSet", "ISO_IR 192"), Leaf(0x0020000D, "LO", written.encode()))))  # fmt: skip
    with pytest.raises(EvaluationError):
        ask(call("getInt", tag(0x0020000D)), other)


def test_text_is_read_in_the_instances_character_set() -> None:
    greek = read_instance(
        part10(specimen(leaf("SpecificCharacterSet", "ISO_IR 126"), Leaf(0x00100010, "PN", b"\xc4\xe9")))
    )
    assert ask(get("PatientName"), greek) == "\u0394\u03b9"


def test_bytes_that_are_no_characters_are_an_error() -> None:
    broken = read_instance(
        part10(specimen(leaf("SpecificCharacterSet", "ISO_IR 192"), Leaf(0x00100010, "PN", b"\xff\xfe")))
    )
    with pytest.raises(TextError):
        ask(get("PatientName"), broken)


def test_values_of_an_implicit_dataset_are_read_by_the_dictionary() -> None:
    dataset = encoded([leaf("Modality", "MR"), leaf("Rows", 64)], IMPLICIT)
    implicit = read_instance(dataset, IMPLICIT)
    assert ask(get("Modality"), implicit) == "MR"
    assert ask(call("getInt", tag("Rows")), implicit) == 64


def test_a_standard_element_that_was_sent_as_unknown_is_read_by_the_dictionary() -> None:
    unknown = read_instance(part10(specimen(leaf("Modality", b"MR", "UN"), leaf("Rows", b"\x40\0", "UN"))))
    assert ask(get("Modality"), unknown) == "MR"
    assert ask(call("getInt", tag("Rows")), unknown) == 64


def test_conditions_read_the_root_only() -> None:
    assert ask(get("AccessionNumber")) is None
    assert ask(call("tagValueIsPresent", tag("StudyID"), text("7"))) is False


# --- the current element --------------------------------------------------------------------


def test_the_current_element_has_a_tag_a_vr_and_a_value() -> None:
    assert ask(Current(CurrentName.TAG, TAG), current=HERE) == 0x00100010
    assert ask(Current(CurrentName.VR, VR), current=HERE) == "PN"
    assert ask(Current(CurrentName.STRING_VALUE, STR), current=HERE) == "DOE^JANE"
    same = infix(Current(CurrentName.VR, VR), BinaryOperator.EQUAL, Literal("PN", VR))
    assert ask(same, current=HERE) is True


@pytest.mark.parametrize("name", list(CurrentName))
def test_a_condition_has_no_current_element(name: CurrentName) -> None:
    with pytest.raises(EvaluationError):
        ask(Current(name, STR))


# --- operators ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "operator", "right", "answer"),
    [
        (number(7), BinaryOperator.ADD, number(2), 9),
        (number(7), BinaryOperator.SUBTRACT, number(9), -2),
        (number(7), BinaryOperator.MULTIPLY, number(-2), -14),
        (number(7), BinaryOperator.DIVIDE, number(2), 3),
        (number(-7), BinaryOperator.DIVIDE, number(2), -3),
        (number(7), BinaryOperator.DIVIDE, number(-2), -3),
        (number(-7), BinaryOperator.REMAINDER, number(2), -1),
        (number(7), BinaryOperator.REMAINDER, number(-2), 1),
        (number(6), BinaryOperator.REMAINDER, number(3), 0),
        (Literal(7.0, NUMBER), BinaryOperator.DIVIDE, number(2), 3.5),
        (Literal(-7.5, NUMBER), BinaryOperator.REMAINDER, number(2), -1.5),
    ],
)
def test_arithmetic_divides_whole_numbers_towards_zero(
    left: Expression, operator: BinaryOperator, right: Expression, answer: float
) -> None:
    assert ask(infix(left, operator, right, INT)) == answer


@pytest.mark.parametrize("operator", [BinaryOperator.DIVIDE, BinaryOperator.REMAINDER])
@pytest.mark.parametrize("zero", [number(0), Literal(0.0, NUMBER)])
def test_division_by_zero_is_an_error(operator: BinaryOperator, zero: Expression) -> None:
    with pytest.raises(EvaluationError, match="division by zero"):
        ask(infix(number(1), operator, zero, INT))


def test_joining_text() -> None:
    assert ask(infix(text("a"), BinaryOperator.ADD, number(7), STR)) == "a7"
    assert ask(infix(number(7), BinaryOperator.ADD, text("a"), STR)) == "7a"


def test_null_adds_nothing_to_a_text() -> None:
    assert ask(infix(text("a"), BinaryOperator.ADD, get("StudyDate"), STR)) == "a"


@pytest.mark.parametrize(
    ("left", "operator", "right", "answer"),
    [
        (number(1), BinaryOperator.LESS, number(2), True),
        (number(2), BinaryOperator.LESS, number(2), False),
        (number(2), BinaryOperator.LESS_OR_EQUAL, number(2), True),
        (number(3), BinaryOperator.GREATER, number(2), True),
        (number(2), BinaryOperator.GREATER_OR_EQUAL, Literal(2.5, NUMBER), False),
        (text("CT"), BinaryOperator.LESS, text("MR"), True),
        (text("CT"), BinaryOperator.EQUAL, text("CT"), True),
        (text("CT"), BinaryOperator.NOT_EQUAL, text("MR"), True),
        (number(2), BinaryOperator.EQUAL, Literal(2.0, NUMBER), True),
    ],
)
def test_comparisons(left: Expression, operator: BinaryOperator, right: Expression, answer: bool) -> None:
    assert ask(infix(left, operator, right)) is answer


@pytest.mark.parametrize(
    "operator",
    [
        BinaryOperator.EQUAL,
        BinaryOperator.NOT_EQUAL,
        BinaryOperator.LESS,
        BinaryOperator.LESS_OR_EQUAL,
        BinaryOperator.GREATER,
        BinaryOperator.GREATER_OR_EQUAL,
    ],
)
def test_a_comparison_with_a_value_that_is_null_is_false(operator: BinaryOperator) -> None:
    assert ask(infix(get("StudyDate"), operator, text("A"))) is False
    assert ask(infix(text("A"), operator, get("StudyDate"))) is False
    assert ask(infix(get("StudyDate"), operator, get("PatientSex"))) is False


def test_null_can_be_asked_for() -> None:
    assert ask(infix(get("StudyDate"), BinaryOperator.EQUAL, NOTHING)) is True
    assert ask(infix(get("StudyDate"), BinaryOperator.NOT_EQUAL, NOTHING)) is False
    assert ask(infix(NOTHING, BinaryOperator.EQUAL, get("Modality"))) is False
    assert ask(infix(NOTHING, BinaryOperator.NOT_EQUAL, get("Modality"))) is True


def test_matches_asks_for_the_whole_text_and_is_false_on_null() -> None:
    assert ask(infix(get("Modality"), BinaryOperator.MATCHES, text("C.|MR"))) is True
    assert ask(infix(get("Modality"), BinaryOperator.MATCHES, text("C"))) is False
    assert ask(infix(get("StudyDate"), BinaryOperator.MATCHES, text(".*"))) is False


def test_and_and_or_leave_the_right_side_alone_when_the_left_decides() -> None:
    fails = infix(infix(number(1), BinaryOperator.DIVIDE, number(0), INT), BinaryOperator.EQUAL, number(1))
    true, false = Literal(True, BOOL), Literal(False, BOOL)
    assert ask(infix(false, BinaryOperator.AND, fails)) is False
    assert ask(infix(true, BinaryOperator.OR, fails)) is True
    assert ask(infix(true, BinaryOperator.AND, false)) is False
    assert ask(infix(false, BinaryOperator.OR, true)) is True
    with pytest.raises(EvaluationError):
        ask(infix(true, BinaryOperator.AND, fails))


def test_prefixes() -> None:
    assert ask(Unary(UnaryOperator.NOT, Literal(False, BOOL), BOOL)) is True
    assert ask(Unary(UnaryOperator.NEGATE, number(7), INT)) == -7


def test_a_choice_evaluates_one_side() -> None:
    fails = infix(number(1), BinaryOperator.DIVIDE, number(0), INT)
    assert ask(Conditional(Literal(True, BOOL), number(1), fails, INT)) == 1
    assert ask(Conditional(Literal(False, BOOL), fails, number(2), INT)) == 2


@pytest.mark.parametrize(("value", "answer"), [(get("StudyDate"), "x"), (text(""), "x"), (get("Modality"), "CT")])
def test_the_default_stands_for_null_and_for_the_empty_text(value: Expression, answer: str) -> None:
    assert ask(Elvis(value, text("x"), STR)) == answer


def test_a_safe_call_gives_null_for_null() -> None:
    assert ask(method(get("StudyDate"), "toUpperCase")) is None
    assert ask(method(get("Modality"), "toLowerCase")) == "ct"


def test_a_call_on_null_that_is_not_safe_is_an_error() -> None:
    unsafe = MethodCall(get("StudyDate"), "length", (), False, INT)
    with pytest.raises(EvaluationError):
        ask(unsafe)


def test_items_of_lists_and_characters_of_texts() -> None:
    parts = method(text("DOE^JANE"), "split", text("\\^"))
    assert ask(Index(parts, number(1), STR)) == "JANE"
    assert ask(Index(text("DOE"), number(0), STR)) == "D"
    with pytest.raises(EvaluationError):
        ask(Index(parts, number(2), STR))


# --- actions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "verb"),
    [
        ("Keep", Verb.KEEP),
        ("Remove", Verb.REMOVE),
        ("ReplaceNull", Verb.EMPTY),
        ("UID", Verb.UID),
        ("ExcludeInstance", Verb.EXCLUDE),
    ],
)
def test_actions_without_arguments(function: str, verb: Verb) -> None:
    assert ask(call(function), current=HERE) == Decision(verb)


def test_actions_with_arguments() -> None:
    assert ask(call("Replace", get("Modality")), current=HERE) == Decision(Verb.REPLACE, text="CT")
    assert ask(call("Replace", NOTHING), current=HERE) == Decision(Verb.EMPTY)
    assert ask(call("Replace", text("")), current=HERE) == Decision(Verb.EMPTY)
    assert ask(call("ShiftDate", number(3), number(4)), current=HERE) == Decision(Verb.SHIFT, amount=Amount(3, 4))
    added = ask(call("Add", tag("PatientComments"), Literal("LT", VR), text("x")), current=HERE)
    assert added == Decision(Verb.ADD, text="x", tag=0x00104000, vr="LT")


def test_null_is_no_decision() -> None:
    none: Expression = Conditional(Literal(False, BOOL), call("Keep"), NOTHING, Type(Kind.ACTION, nullable=True))
    assert ask(none, current=HERE) is None
    assert ACTION.kind is Kind.ACTION


@pytest.mark.parametrize(
    ("elements", "age"),
    [
        ({"PatientBirthDate": "19760517", "StudyDate": "20230517"}, "047Y"),
        ({"PatientBirthDate": "19760517", "ContentDate": "20200517", "StudyDate": "20230517"}, "044Y"),
        ({"PatientBirthDate": "19760517", "AcquisitionDate": "20210517", "StudyDate": "20230517"}, "045Y"),
        ({"PatientBirthDate": "19760517", "DateOfSecondaryCapture": "20220517", "SeriesDate": "20230517"}, "046Y"),
        ({"PatientBirthDate": "19760517", "ContentDate": "", "SeriesDate": "20230517"}, "047Y"),
        ({"PatientBirthDate": "20230401", "StudyDate": "20230517"}, "046D"),
        ({"PatientBirthDate": "20220401", "StudyDate": "20230517"}, "013M"),
        ({"PatientBirthDate": "19760517"}, None),
        ({"StudyDate": "20230517"}, None),
        ({"PatientBirthDate": "may", "StudyDate": "20230517"}, None),
        ({"PatientBirthDate": "20300517", "StudyDate": "20230517"}, None),
    ],
)
def test_compute_patient_age(elements: dict[str, str], age: str | None) -> None:
    made = read_instance(part10(specimen(*(leaf(name, value) for name, value in elements.items()))))
    expected = Decision(Verb.EMPTY) if age is None else Decision(Verb.REPLACE, text=age)
    assert ask(call("ComputePatientAge"), made, HERE) == expected


# --- conditions -----------------------------------------------------------------------------


def test_a_condition_holds_when_it_is_true() -> None:
    assert condition_holds(call("tagIsPresent", tag("Modality")), INSTANCE)
    assert not condition_holds(call("tagIsPresent", tag("StudyDate")), INSTANCE)
