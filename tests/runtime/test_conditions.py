"""Conditions are asked once per instance, in the order of the rules, each for all who ask it."""

import pytest

from karnak.ir.expression import (
    ACTION,
    BOOL,
    Binary,
    BinaryOperator,
    Conditional,
    Expression,
    Literal,
    Unary,
    UnaryOperator,
)
from karnak.ir.profile import Evaluate
from karnak.ir.span import Span
from karnak.ir.tree import without_spans
from karnak.runtime.conditions import Conditions, holding
from karnak.runtime.part10 import Instance, decode_instance, read_instance
from karnak.runtime.rejection import Rejected
from karnak.testing.expressions import call, number, tag, text
from karnak.testing.specimen import leaf, part10, tag_of
from tests.runtime.making import X, Z, rule, specimen

HAS_MODALITY = call("tagIsPresent", tag("Modality"))
IS_CT = call("tagValueIsPresent", tag("Modality"), text("CT"))
FAILS = Binary(BinaryOperator.EQUAL, call("getInt", tag("PatientName")), number(1), BOOL)


def only_if(test: Expression) -> Evaluate:
    return Evaluate(Conditional(test, call("Remove"), call("Keep"), ACTION))


def instance() -> Instance:
    return decode_instance(part10(specimen(leaf("Modality", "CT"), leaf("PatientName", "DOE"))))


def test_equal_conditions_are_one_wherever_they_stand() -> None:
    elsewhere = call("tagIsPresent", Literal(tag("Modality").value, tag("Modality").type, Span("p", 9, 1, 9, 2)))
    found = Conditions(
        (rule(X, "PatientName", when=HAS_MODALITY), rule(Z, "PatientID", when=elsewhere), rule(only_if(HAS_MODALITY)))
    )
    assert len(found) == 1
    assert found.evaluate(instance()) == (True,)
    assert found.guards((False,)) == (False, False, True)
    assert found.inside((True,)) == {without_spans(HAS_MODALITY): True}


def test_guards_come_before_what_stands_inside_expressions() -> None:
    found = Conditions(
        (rule(only_if(HAS_MODALITY)), rule(X, "PatientName", when=Unary(UnaryOperator.NOT, IS_CT, BOOL)))
    )
    assert found.evaluate(instance()) == (False, True)


def test_both_ways_of_reading_an_instance_answer_alike() -> None:
    found = Conditions((rule(X, "PatientName", when=IS_CT), rule(X, "PatientName", when=HAS_MODALITY)))
    data = part10(specimen(leaf("Modality", "MR")))
    assert found.evaluate(read_instance(data)) == found.evaluate(decode_instance(data)) == (False, True)


def test_a_guard_that_cannot_be_evaluated_rejects_and_names_the_first_rule_that_asks() -> None:
    found = Conditions(
        (rule(X, "PatientID", when=FAILS, name="asks first", line=3), rule(X, "Modality", when=FAILS, name="asks too"))
    )
    with pytest.raises(Rejected, match=r"the condition of rule 'asks first' \(line 3\) cannot be evaluated"):
        found.evaluate(instance())


def test_a_condition_inside_an_expression_may_never_be_asked() -> None:
    found = Conditions((rule(only_if(FAILS)), rule(only_if(IS_CT))))
    assert found.evaluate(instance()) == (None, True)
    assert found.inside((None, True)) == {without_spans(IS_CT): True}


def test_the_tags_that_are_read_are_known() -> None:
    found = Conditions((rule(X, "PatientID", when=Binary(BinaryOperator.AND, FAILS, IS_CT, BOOL)),))
    assert found.tags.tolist() == [tag_of("Modality"), tag_of("PatientName")]


def test_rules_that_hold() -> None:
    rules = [rule(X, "PatientName"), rule(Z, "PatientName")]
    assert holding(rules, (False, True)) == rules[1:]
