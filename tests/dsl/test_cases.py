"""Every kind of finding has a case: a text that is wrong, the place, and for one of them what a person reads."""

import pytest

from karnak.dsl.diagnostics import Severity
from karnak.dsl.lint import ALL_CODES, MODULES
from tests.dsl.cases import Case, all_cases, findings_of, rendered

CASES = all_cases()
# What no text of a case can bring about: a file that can't be read, is no text, or is too much of it.
ELSEWHERE = {"K001", "K002", "K004", "K016"}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_findings_and_their_places(case: Case) -> None:
    found = findings_of(case.kind, case.text)
    assert [f"{one.code} {one.span.line}:{one.span.column}" for one in found] == list(case.finds)
    for one in found:
        entry = ALL_CODES[one.code]
        assert (one.name, one.severity) == (entry.name, entry.severity)
        assert one.message
        assert not one.message.endswith(".")


@pytest.mark.parametrize("case", [case for case in CASES if case.shows is not None], ids=str)
def test_what_a_person_reads(case: Case) -> None:
    assert rendered(case.kind, case.text) == case.shows


def test_every_code_has_a_case() -> None:
    shown = {find.split()[0] for case in CASES for find in case.finds}
    assert shown | ELSEWHERE == set(ALL_CODES)
    assert not shown & ELSEWHERE


def test_codes_and_names_are_unique_and_explained() -> None:
    names = [entry.name for entry in ALL_CODES.values()]
    assert len(set(names)) == len(names)
    for code, entry in ALL_CODES.items():
        assert code == entry.code
        assert entry.explanation.strip()


def test_lint_rules_stand_one_to_a_file_with_a_manual_page() -> None:
    lint_codes = [code for code in ALL_CODES if "K110" <= code <= "K149"]
    assert [module.__name__.rpartition(".")[2][:4].upper() for module in MODULES] == lint_codes
    for code in lint_codes:
        page = ALL_CODES[code].explanation
        assert "Why it matters: " in page
        assert "Instead: " in page
        assert ALL_CODES[code].severity is not Severity.ERROR


def test_nobody_sees_how_texts_are_parsed() -> None:
    """No sentence speaks of tokens, scalars, lexers or Python."""
    jargon = ("token", "scalar", "lark", "yaml.", "unexpected", "exception", "__", "str ", "scanner", "node")
    for case in CASES:
        for one in findings_of(case.kind, case.text):
            words = " ".join((one.message.replace(case.text.strip(), ""), one.hint, *one.notes)).lower()
            assert not [word for word in jargon if f" {word}" in f" {words}" and word.strip() not in case.text.lower()]
