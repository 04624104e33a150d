"""A digest names what a profile means: all of it, and nothing else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from karnak.dsl.compile import compile_profile
from karnak.dsl.nodes import Source
from karnak.ir.expression import BOOL, Literal
from karnak.ir.profile import Mask, Profile, Rule
from karnak.ir.selector import Selector
from karnak.ir.span import Span
from karnak.runtime import digest
from karnak.runtime.program import Program
from karnak.standard.confidentiality import Option
from karnak.testing.strategies import profiles
from tests.runtime.making import K, X, basic, program, rule

ROOT = Path(__file__).parent.parent.parent
RULE = rule(X, "PatientName", name="names", line=3)
MASKS = (Mask("CT1", (512, 512), ((1, 2, 3, 4),)), Mask(None, None, ((5, 6, 7, 8), (1, 1, 1, 1)), (9, 9, 9)))


def digest_of(profile: Profile) -> str:
    return digest.digest_of(profile, "2026c")


def test_the_digest_is_64_hexadecimal_digits() -> None:
    assert len(program(RULE).digest) == 64
    assert int(program(RULE).digest, 16)


# What does not count.


def test_places_do_not_count() -> None:
    moved = replace(RULE, span=Span("other.yml", 80, 2, 81, 3))
    guarded = replace(RULE, guard=Literal(True, BOOL))
    same = replace(RULE, guard=Literal(True, BOOL, Span("", 5, 5, 5, 9)))
    assert program(moved).digest == program(RULE).digest
    assert program(guarded).digest == program(same).digest


def test_comments_layout_and_what_follows_from_constants_do_not_count() -> None:
    element = "codename: action.on.specific.tags, action: X, tags: [PatientName, '0010,0020']"
    one = f"name: a\nprofileElements: [{{name: a, {element}, condition: '1 + 1 == 2'}}]\n"
    other = f"""\
# What we agreed on.
name: b
version: "7"
profileElements:
  - name: "who it is"
    {element.replace(", ", chr(10) + "    ", 2)}
    excludedTags: []
  - {{name: never, codename: action.on.specific.tags, action: K, tags: [PatientID]}}
"""
    assert compile_profile(Source("one", one)).digest == compile_profile(Source("other", other)).digest


def test_the_order_in_which_a_set_is_written_does_not_count() -> None:
    options = [Option.RETAIN_UIDS, Option.CLEAN_DESCRIPTORS, Option.RETAIN_DEVICE_IDENTITY]
    assert program(basic(*options)).digest == program(basic(*reversed(options))).digest
    tags = ["PatientName", "0010,XXXX", '(0011,"A",10)', "ReferencedStudySequence/PatientID"]
    one, other = rule(X, *tags, exclude=tags[:2]), rule(X, *reversed(tags), tags[0], exclude=tags[1::-1])
    assert program(one).digest == program(other).digest


@given(profiles(), st.text(max_size=5), st.integers(1, 99))
def test_names_versions_and_places_do_not_count(profile: Profile, name: str, line: int) -> None:
    renamed = tuple(replace(one, name=name, codename="x", span=replace(one.span, line=line)) for one in profile.rules)
    labelled = replace(profile, name=name, version=name, minimum_karnak_version=name, rules=renamed)
    assert digest_of(labelled) == digest_of(profile)


# What counts.


@pytest.mark.parametrize(
    "other",
    [
        rule(K, "PatientName"),
        rule(X, "PatientID"),
        rule(X, "PatientName", exclude=["PatientID"]),
        rule(X, "PatientName", private=True),
        rule(X, "PatientName", vrs=["PN"]),
        rule(X, "PatientName", when=Literal(True, BOOL)),
    ],
)
def test_whatever_a_rule_means_counts(other: Rule) -> None:
    assert program(other).digest != program(RULE).digest


def test_the_order_of_rules_the_edition_the_issuer_and_the_engine_count(monkeypatch: pytest.MonkeyPatch) -> None:
    other = rule(K, "PatientName")
    digests = {
        program(RULE, other).digest,
        program(other, RULE).digest,
        program(RULE).digest,
        program(RULE, edition="2024e").digest,
        Program(Profile("Research", "1.2", "", "ISSUER", (RULE,))).digest,
    }
    monkeypatch.setattr(digest, "VERSION", "0.0.0")
    digests.add(program(RULE).digest)
    assert len(digests) == 6


Place = tuple[str | int, ...]
_LABELS = {"span", "codename", "minimum_karnak_version"}


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Where something stands in a profile that could be something else."""
    if is_dataclass(value) and not isinstance(value, type):
        for item in fields(value):
            label = item.name in _LABELS or (isinstance(value, Profile) and item.name == "version")
            if not label and not (isinstance(value, Profile | Rule) and item.name == "name"):
                yield from places(getattr(value, item.name), (*at, item.name))
    elif isinstance(value, tuple):
        yield at
        for number, item in enumerate(value):
            yield from places(item, (*at, number))
    else:
        yield at


def something_else(value: Any, choose: st.DataObject) -> Any:
    """Another value of the same kind."""
    match value:
        case bool():
            return not value
        case Enum():
            others = [member for member in type(value) if member is not value]
            return choose.draw(st.sampled_from(others)) if others else None
        case int():
            return value + choose.draw(st.sampled_from([-1, 1, 1 << 16]))
        case float():
            return value + 1
        case str():
            return value + choose.draw(st.sampled_from([" ", "x", "\u00e9", "\u4e00"]))
        case frozenset():
            return value ^ {choose.draw(st.sampled_from([*value, "LO"]))}
        case tuple():
            return value[1:] if value else (RULE,)
        case None:
            return Literal(True, BOOL)
    raise AssertionError(value)


def at(value: Any, place: Place) -> Any:
    for step in place:
        value = value[step] if isinstance(step, int) else getattr(value, step)
    return value


def put(value: Any, place: Place, new: Any) -> Any:
    """The same with something else at a place."""
    if not place:
        return new
    step, rest = place[0], place[1:]
    if isinstance(step, int):
        return (*value[:step], put(value[step], rest, new), *value[step + 1 :])
    return replace(value, **{step: put(getattr(value, step), rest, new)})


def sets(value: Any) -> Any:
    """The same with the terms of selectors as sets."""
    if isinstance(value, Selector):
        return frozenset(value.include), frozenset(value.exclude), value.vrs, value.private_only
    if is_dataclass(value) and not isinstance(value, type):
        return type(value), tuple(sets(getattr(value, item.name)) for item in fields(value))
    return tuple(map(sets, value)) if isinstance(value, tuple) else value


@given(profiles(), st.booleans(), st.data())
def test_every_change_of_meaning_changes_the_digest(profile: Profile, masked: bool, choose: st.DataObject) -> None:
    profile = replace(profile, masks=MASKS if masked else ())
    place = choose.draw(st.sampled_from(list(places(profile))))
    changed = put(profile, place, something_else(at(profile, place), choose))
    assume(sets(changed) != sets(profile))
    assert digest_of(changed) != digest_of(profile)


# It is the same everywhere.

EVERYTHING = """\
defaultIssuerOfPatientID: "H\u00f4pital"
profileElements:
  - {name: a, codename: action.on.specific.tags, action: K, tags: [PatientSex, "0008,10XX"],
     excludedTags: ["0008,1030"],
     condition: "tagValueIsPresent(#Tag.Modality, 'CT') and getNumber(#Tag.SliceThickness) > 0.5"}
  - {name: b, codename: action.on.dates, option: shift_range, arguments: {max_days: 365, max_seconds: 86400}}
  - {name: c, codename: expression.on.tags, tags: ['(0029,"A",10)', ReferencedStudySequence/PatientID],
     arguments: {expr: "vr == #VR.DA ? ShiftDate(-1, 2) : Replace(stringValue?.substring(0, 2) ?: '\u4e00')"}}
  - {name: d, codename: action.add.tag, tags: [PatientComments], arguments: {value: x}}
  - {name: e, codename: basic.dicom.profile, arguments: {options: [retain_uids, clean_descriptors]}}
"""


def test_known_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests stand in outputs: how they are made must not change unnoticed within one version of the engine."""
    monkeypatch.setattr(digest, "VERSION", "known")
    basic_profile = compile_profile(ROOT / "profiles" / "basic.yml")
    assert basic_profile.digest == "fb1449e84cf1b5280da0ab222bd421a809e61640155870a8bfb842f72fe5240b"
    assert (
        compile_profile(Source("everything", EVERYTHING)).digest
        == "8f5faadf6a5108e910d57c95b2e980aec99b6b11f6dc4e3e103134aea35785df"
    )


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_processes_agree(seed: str) -> None:
    path = ROOT / "profiles" / "research-ct.yml"
    text = f"import karnak, pathlib; print(karnak.compile_profile(pathlib.Path({str(path)!r})).digest)"
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == compile_profile(path).digest
