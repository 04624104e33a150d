"""Tables are built for what is met, and never grow beyond their bounds."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.ir.expression import Expression
from karnak.ir.profile import Profile
from karnak.ir.selector import ElementKey, ElementPath, TagPattern
from karnak.runtime import program as programs
from karnak.runtime.candidates import Candidates
from karnak.runtime.encoding import EXPLICIT
from karnak.runtime.outcome import Status
from karnak.runtime.program import MAX_TABLES, Program
from karnak.testing.expressions import call, tag
from karnak.testing.instances import PRIVATE_GROUPS, PRIVATE_LOW_BYTES
from karnak.testing.specimen import leaf, part10, tag_of
from karnak.testing.strategies import profiles
from tests.runtime.making import CT, SECONDARY_CAPTURE, X, Z, basic, both_engines, program, rule, specimen

KEYWORDS = """
    PatientSex PatientAge PatientSize PatientWeight EthnicGroup SeriesNumber InstanceNumber AccessionNumber StudyID
    Manufacturer InstitutionName StationName StudyDescription SeriesDescription OperatorsName ManufacturerModelName
    SliceThickness ProtocolName ImageComments PatientComments
""".split()


def present(keyword: str) -> Expression:
    return call("tagIsPresent", tag(keyword))


def many_conditions() -> Program:
    """Twenty rules, each with a condition of its own."""
    return program(*(rule(Z, keyword, when=present(keyword)) for keyword in KEYWORDS), basic())


def test_20_conditions_are_not_a_million_tables() -> None:
    chosen = many_conditions()
    assert len(chosen.conditions) == len(KEYWORDS) == 20
    seen = [(), KEYWORDS[:1], KEYWORDS[:7], KEYWORDS[3:9], KEYWORDS, KEYWORDS[:7]]
    for present_ones in seen:
        made = specimen(*(leaf(keyword, "1") for keyword in present_ones))
        assert both_engines(part10(made), chosen).status is Status.FORWARDED
    assert chosen.table_count == 5


def test_equal_conditions_and_rules_that_share_them_are_one_bit() -> None:
    chosen = program(*(rule(X, keyword, when=present("Rows")) for keyword in KEYWORDS))
    assert len(chosen.conditions) == 1
    for made in (specimen(), specimen(leaf("Rows", 7)), specimen(leaf("Rows", 8))):
        both_engines(part10(made), chosen)
    assert chosen.table_count == 2


def test_the_number_of_tables_is_bounded_and_the_oldest_is_built_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_TABLES == 256
    monkeypatch.setattr(programs, "MAX_TABLES", 3)
    chosen = many_conditions()
    outcomes = [(*few, *[False] * 18) for few in product((False, True), repeat=2)]
    tables = [chosen.table(CT, bits, EXPLICIT) for bits in outcomes]
    assert chosen.table_count == 3
    assert chosen.table(CT, outcomes[3], EXPLICIT) is tables[3]
    assert chosen.table(CT, outcomes[0], EXPLICIT) is not tables[0]
    assert chosen.table_count == 3
    for present_ones in product((False, True), repeat=3):
        kept = [leaf(keyword, "1") for keyword, holds in zip(KEYWORDS, present_ones, strict=False) if holds]
        both_engines(part10(specimen(*kept)), chosen)
        assert chosen.table_count == 3


def test_sop_classes_without_an_iod_share_one_table() -> None:
    chosen = program(basic())
    shared = chosen.table(None, (), EXPLICIT)
    for number in range(10):
        assert chosen.table(f"1.2.3.{number}", (), EXPLICIT) is shared
        both_engines(part10(specimen(leaf("PatientSex", "F"), sop_class=f"1.2.3.{number}")), chosen)
    assert chosen.table_count == 1
    assert chosen.table(CT, (), EXPLICIT) is not chosen.table(SECONDARY_CAPTURE, (), EXPLICIT)


def test_a_table_has_a_cell_for_what_was_met_and_no_other() -> None:
    chosen = program(basic())
    made = specimen(leaf("PatientSex", "F"), leaf("PatientAge", "031Y"))
    both_engines(part10(made), chosen)
    table = chosen.table(CT, (), EXPLICIT)
    met = len(made.elements)
    assert table.cells.count == met
    both_engines(part10(made), chosen)
    assert table.cells.count == met
    verdicts = list(table.cells.verdicts)
    both_engines(part10(specimen(*made.elements, leaf("Rows", 3))), chosen)
    assert table.cells.count == met + 1
    assert table.cells.verdicts[:met] == verdicts


# Which rules are asked.


def paths() -> st.SearchStrategy[ElementPath]:
    named = [*map(tag_of, (*KEYWORDS, "PatientName", "ReferencedStudySequence", "ReferencedImageSequence"))]
    private = [group << 16 | 0x1000 | low for group in PRIVATE_GROUPS for low in PRIVATE_LOW_BYTES]
    keys = st.builds(
        ElementKey, st.sampled_from([*named, *private, 0x60003000]), st.sampled_from([None, "ACME 1.0", "GEMS_PARM_01"])
    )
    return st.lists(keys, min_size=1, max_size=3)


@given(profiles(), st.lists(paths(), max_size=20), st.sampled_from(["LO", "DA", "SQ"]))
def test_no_rule_that_selects_is_left_out(profile: Profile, asked: list[ElementPath], vr: str) -> None:
    candidates = Candidates(profile.rules)
    terms = [term for one in profile.rules for term in one.selector.include]
    named = [[ElementKey(term.value)] for term in terms if isinstance(term, TagPattern)]
    for path in (*asked, *named):
        found = candidates.of(path[-1].tag)
        assert list(found) == sorted(set(found))
        selecting = {index for index, one in enumerate(profile.rules) if one.selector.selects(path, vr)}
        assert selecting <= set(found)


def test_rules_that_name_other_tags_are_not_asked() -> None:
    rules = (rule(X, "PatientName"), rule(X, "0010,XXXX"), rule(X, "PatientID", "ReferencedStudySequence/PatientName"))
    candidates = Candidates(rules)
    assert candidates.of(tag_of("PatientName")) == (0, 1, 2)
    assert candidates.of(tag_of("PatientID")) == (1, 2)
    assert candidates.of(tag_of("Rows")) == (1,)
    assert Candidates((replace(rules[0]),)).of(0x00290010) == ()
