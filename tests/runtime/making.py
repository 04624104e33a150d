"""What the tests of the engine share: profiles and instances in a few words, and outputs seen by another reader."""

import re
import warnings
from collections.abc import Iterable
from datetime import UTC, datetime
from io import BytesIO
from typing import cast

from pydicom import Dataset, FileDataset, dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement

from karnak.ir.expression import Expression
from karnak.ir.profile import Action, Apply, BasicProfile, Effect, Profile, Rule
from karnak.ir.selector import (
    EVERY_TAG,
    FULL_MASK,
    NOTHING,
    PrivateElement,
    Selector,
    SelectorTerm,
    TagPath,
    TagPattern,
    Term,
)
from karnak.ir.span import Span
from karnak.runtime.deidentify import Engine, Mode, deidentify
from karnak.runtime.keys import Project
from karnak.runtime.outcome import Outcome, Status
from karnak.runtime.program import Program
from karnak.standard.confidentiality import Option
from karnak.testing.specimen import EXPLICIT, Element, Leaf, Specimen, leaf, padded, part10, tag_of

PROJECT = Project("TRIAL-1", bytes.fromhex("0123456789abcdef0123456789abcdef"))
NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
CT = "1.2.840.10008.5.1.4.1.1.2"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
SR = "1.2.840.10008.5.1.4.1.1.88.11"

_UIDS = ("sop_class_uid", "sop_instance_uid", "study_instance_uid", "series_instance_uid", "transfer_syntax_uid")

K, X, Z, U, D = (Apply(action) for action in (Action.KEEP, Action.REMOVE, Action.EMPTY, Action.UID, Action.DUMMY))


def term(text: str) -> SelectorTerm:
    """Read a selector: keyword, digits with X, (gggg,"CREATOR",ee), or a path of those."""
    steps = [_step(step) for step in text.split("/")]
    return steps[0] if len(steps) == 1 else TagPath(tuple(steps))


def _step(text: str) -> Term:
    private = re.fullmatch(r'\((\w{4}),"([^"]+)",(\w\w)\)', text)
    if private:
        group, creator, element = private.groups()
        return PrivateElement(int(group, 16), creator, int(element, 16))
    digits = text.upper().replace(",", "")
    if re.fullmatch("[0-9A-FX]{8}", digits) is None:
        return TagPattern(tag_of(text), FULL_MASK)
    value = int(digits.replace("X", "0"), 16)
    return TagPattern(value, int(re.sub("[0-9A-F]", "F", digits).replace("X", "0"), 16))


def rule(
    effect: Effect,
    *tags: str,
    exclude: Iterable[str] = (),
    vrs: Iterable[str] = (),
    private: bool = False,
    when: Expression | None = None,
    name: str = "the rule",
    line: int = 7,
) -> Rule:
    """Make a rule; without tags it speaks of all."""
    include = tuple(map(term, tags)) or (EVERY_TAG,)
    selector = Selector(include, tuple(map(term, exclude)), frozenset(vrs), private)
    return Rule(name, "test", selector, effect, when, Span("", line, 1, line, 2))


def adding(effect: Effect, *, when: Expression | None = None, name: str = "the addition") -> Rule:
    """Make a rule that adds."""
    return Rule(name, "test", NOTHING, effect, when, Span("", 9, 1, 9, 2))


def basic(*options: Option, when: Expression | None = None) -> Rule:
    """Make the basic profile a rule."""
    return rule(BasicProfile(frozenset(options)), name="basic", line=99, when=when)


def program(*rules: Rule, edition: str = "2026c", name: str = "Research", version: str = "1.2") -> Program:
    return Program(Profile(name, version, "", "", rules), edition)


def specimen(*elements: Element, syntax: str = EXPLICIT, sop_class: str = CT, patient_id: str = "PAT-1") -> Specimen:
    """Make an instance with an identity and more elements; what is given replaces what is the default."""
    identity: list[Element] = [
        leaf("SOPClassUID", sop_class),
        leaf("SOPInstanceUID", "1.2.3.4.5"),
        leaf("PatientID", patient_id),
        leaf("StudyInstanceUID", "1.2.3.4"),
        leaf("SeriesInstanceUID", "1.2.3.4.1"),
    ]
    merged = {element.tag: element for element in (*identity, *elements)}
    return Specimen(tuple(merged[tag] for tag in sorted(merged)), syntax)


def without(made: Specimen, *names: str) -> Specimen:
    """Take elements out of an instance."""
    gone = set(map(tag_of, names))
    return Specimen(tuple(e for e in made.elements if e.tag not in gone), made.transfer_syntax_uid)


def run(
    made: Specimen | bytes,
    *rules: Rule,
    mode: Mode = "morph",
    pseudonym: str | None = "P-001",
    project: Project = PROJECT,
    now: datetime = NOW,
    edition: str = "2026c",
) -> Outcome:
    """Put an instance through rules, with both engines; by default none of the attributes is set that say so."""
    data = part10(made) if isinstance(made, Specimen) else made
    return both_engines(data, program(*rules, edition=edition), project, pseudonym=pseudonym, mode=mode, now=now)


def both_engines(
    data: bytes,
    chosen: Program,
    project: Project = PROJECT,
    *,
    pseudonym: str | None = "P-001",
    mode: Mode = "morph",
    now: datetime = NOW,
    transfer_syntax_uid: str | None = None,
) -> Outcome:
    """What the reference engine makes of an instance, once the tables have made the same of it."""
    engines: tuple[Engine, Engine] = ("reference", "tables")
    judged, rewritten = (
        deidentify(
            data,
            chosen,
            project,
            pseudonym=pseudonym,
            mode=mode,
            now=now,
            transfer_syntax_uid=transfer_syntax_uid,
            engine=engine,
        )
        for engine in engines
    )
    assert rewritten.data == judged.data, (rewritten.reason, judged.reason)
    for attribute in ("status", "reason", "changes", "warnings", *_UIDS):
        assert getattr(rewritten, attribute) == getattr(judged, attribute), attribute
    return judged


def output(outcome: Outcome) -> FileDataset:
    """The output as pydicom reads it."""
    assert outcome.status is Status.FORWARDED, outcome.reason
    assert outcome.data is not None
    with warnings.catch_warnings():
        # That pydicom does not know a character set is not for these tests to say.
        warnings.filterwarnings("ignore", message="Unknown encoding")
        return dcmread(BytesIO(outcome.data))


def after(made: Specimen, *rules: Rule) -> FileDataset:
    """What rules make of an instance."""
    return output(run(made, *rules))


def value_after(element: Leaf, *rules: Rule, sop_class: str = CT) -> bytes | None:
    """The bytes that rules make of one element at the root, or None where it goes."""
    return raw(after(specimen(element, sop_class=sop_class), *rules), element.tag)


def raw(dataset: Dataset, tag: int | str) -> bytes | None:
    """The bytes of an element as they lie in the file, or None where it is absent."""
    number = tag if isinstance(tag, int) else tag_of(tag)
    if number not in dataset:
        return None
    return _bytes(_stored(dataset, number))


def leaves(dataset: Dataset, place: str = "") -> dict[str, bytes]:
    """All leaves of a dataset by their paths, as pydicom finds them, with their bytes."""
    found: dict[str, bytes] = {}
    for tag in sorted(dataset.keys()):
        element = _stored(dataset, tag)
        shown = f"{place}{int(tag):08X}"
        if not _is_sequence(element):
            found[shown] = _bytes(element)
            continue
        for number, item in enumerate(dataset[tag].value):
            found |= leaves(item, f"{shown}[{number}]/")
    return found


def _stored(dataset: Dataset, tag: int) -> DataElement | RawDataElement:
    return cast("DataElement | RawDataElement", dataset.get_item(tag, keep_deferred=True))


def _bytes(element: DataElement | RawDataElement) -> bytes:
    if isinstance(element, RawDataElement):
        return element.value or b""
    # Of leaves, pydicom decodes SpecificCharacterSet alone when it reads.
    assert element.tag == 0x00080005
    value = element.value
    return padded("CS", (value if isinstance(value, str) else "\\".join(value)).encode("ascii"))


def _is_sequence(element: DataElement | RawDataElement) -> bool:
    if element.VR is not None:
        return element.VR == "SQ"
    try:
        return dictionary_VR(element.tag) == "SQ"
    except KeyError:
        return False


def rejection(outcome: Outcome) -> str:
    """The reason of an instance that was rejected."""
    assert outcome.status is Status.REJECTED
    assert outcome.data is None
    assert outcome.reason
    return outcome.reason
