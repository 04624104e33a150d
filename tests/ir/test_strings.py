"""The string methods of expressions (section 4)."""

import pytest

from karnak.ir.strings import METHODS, EvaluationError, as_text, item, matches


@pytest.mark.parametrize(
    ("method", "receiver", "arguments", "answer"),
    [
        ("contains", "DOE^JANE", ["E^J"], True),
        ("contains", "DOE", [""], True),
        ("contains", "DOE", ["doe"], False),
        ("startsWith", "DOE^JANE", ["DOE"], True),
        ("startsWith", "DOE", ["OE"], False),
        ("endsWith", "DOE^JANE", ["JANE"], True),
        ("equals", "CT", ["CT"], True),
        ("equals", "CT", ["ct"], False),
        ("equals", "CT", [None], False),
        ("equalsIgnoreCase", "CT", ["ct"], True),
        ("equalsIgnoreCase", "CT", [None], False),
        ("toUpperCase", "doe \u00e9", [], "DOE \u00c9"),
        ("toLowerCase", "DOE", [], "doe"),
        ("trim", " \t\n a b \0", [], "a b"),
        ("trim", "\u00a0a", [], "\u00a0a"),
        ("length", "DOE", [], 3),
        ("length", "\u5c71\u7530", [], 2),
        ("isEmpty", "", [], True),
        ("isEmpty", " ", [], False),
        ("substring", "DOE^JANE", [4], "JANE"),
        ("substring", "DOE^JANE", [0, 3], "DOE"),
        ("substring", "DOE", [3], ""),
        ("indexOf", "DOE^JANE", ["JANE"], 4),
        ("indexOf", "DOE", ["X"], -1),
        ("replace", "a.b.c", [".", "-"], "a-b-c"),
        ("replaceAll", "A1B22", ["[0-9]+", "#"], "A#B#"),
        ("replaceAll", "DOE^JANE", ["(\\w+)\\^(\\w+)", "$2 $1"], "JANE DOE"),
        ("replaceAll", "DOE", ["(?P<x>O)", "<${x}>"], "D<O>E"),
        ("replaceAll", "DOE", ["O", "\\$0"], "D$0E"),
        ("replaceAll", "ab", ["(a)|(b)", "[$2]"], "[][b]"),
        ("split", "a^b^c", ["\\^"], ["a", "b", "c"]),
        ("split", "a^b^^", ["\\^"], ["a", "b"]),
        ("split", "", ["\\^"], [""]),
        ("concat", "DOE", ["!"], "DOE!"),
        ("matches", "CT", ["CT|MR"], True),
        ("matches", "CTX", ["CT|MR"], False),
        ("charAt", "DOE", [1], "O"),
    ],
)
def test_methods(method: str, receiver: str, arguments: list[object], answer: object) -> None:
    assert METHODS[method](receiver, *arguments) == answer


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("substring", [4]),
        ("substring", [-1]),
        ("substring", [2, 1]),
        ("substring", [0, 4]),
        ("charAt", [3]),
        ("charAt", [-1]),
        ("replaceAll", ["O", "$1"]),
        ("replaceAll", ["O", "${name}"]),
    ],
)
def test_what_a_text_does_not_have_is_an_error(method: str, arguments: list[object]) -> None:
    with pytest.raises(EvaluationError):
        METHODS[method]("DOE", *arguments)


@pytest.mark.parametrize(
    ("method", "arguments"), [("substring", [76543]), ("substring", [0, 76543]), ("charAt", [76543])]
)
def test_an_error_tells_no_number_that_may_come_from_a_value(method: str, arguments: list[object]) -> None:
    # getInt(#Tag.PatientID) may stand where a position should, and the length of a text is the patient's, too.
    with pytest.raises(EvaluationError) as caught:
        METHODS[method]("DOE^JANE^MARY", *arguments)
    assert "76543" not in str(caught.value)
    assert "13" not in str(caught.value)


def test_items_are_counted_from_0() -> None:
    assert item(["a", "b"], 1) == "b"
    assert item("ab", 0) == "a"
    for wrong in (2, -1):
        with pytest.raises(EvaluationError):
            item(["a", "b"], wrong)
    with pytest.raises(EvaluationError):
        item(None, 0)


def test_matches_asks_for_the_whole_text_in_the_syntax_of_re2() -> None:
    assert matches("DOE^JANE", "DOE\\^.*")
    assert not matches("DOE^JANE", "DOE")
    with pytest.raises(EvaluationError):
        matches("aa", "(a)\\1")


def test_a_pattern_that_takes_other_engines_ages_takes_no_time() -> None:
    assert not matches("a" * 100_000 + "b", "(a*)*c")


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (True, "true"), (False, "false"), (7, "7"), (1.5, "1.5"), ("x", "x")]
)
def test_joining_writes_values_as_people_do(value: object, text: str) -> None:
    assert as_text(value) == text
