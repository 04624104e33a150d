"""The fast executor: a program applied to encoded bytes through its decision table.

It looks at headers, copies what is kept as it lies, and makes only what changes. What it cannot take as a table
says, it hands to the interpreter by raising FallBack; it never guesses. Its meaning is the interpreter's.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement

from karnak.ir.profile import AddElement, AddPrivateElement
from karnak.ir.selector import ElementKey, is_private_creator
from karnak.runtime.adding import IndexedOriginal, creators_that_stay
from karnak.runtime.additions import add_all
from karnak.runtime.always_set import always_set
from karnak.runtime.assemble import NEW, measure, write
from karnak.runtime.creators import Creators, TooManyCreators
from karnak.runtime.encoding import (
    REPERTOIRE_VRS,
    SPECIFIC_CHARACTER_SET,
    RawDataset,
    UnwritableInstance,
    effective_vr,
    stored_leaf,
)
from karnak.runtime.keys import Project
from karnak.runtime.lower import TableFull
from karnak.runtime.making import Maker
from karnak.runtime.memory import memory_of
from karnak.runtime.part10 import OUTPUT_UIDS, PATIENT_ID, SOP_CLASS_UID, SOP_INSTANCE_UID
from karnak.runtime.plan import (
    ASKED,
    CHARSET_EDITED,
    EDIT,
    KEPT,
    MADE,
    NESTED_CHARSET,
    PLANNED,
    REMOVED,
    edits_of,
    make_plan,
)
from karnak.runtime.program import Program
from karnak.runtime.rejection import (
    NO_PATIENT_ID,
    NO_PSEUDONYM,
    NO_SOP_INSTANCE_UID,
    FallBack,
    Rejected,
)
from karnak.runtime.repertoire import DEFAULT_REPERTOIRE, TextError, repertoire_of_value
from karnak.runtime.scan import (
    KIND,
    SEQUENCE,
    TAG,
    VR,
    dictionary_vrs,
    vr_classes,
    vr_code,
    vr_name,
)
from karnak.runtime.scanned import ScannedInstance
from karnak.runtime.stamp import NOTHING, Stamp, encoded_elements, stamp_of
from karnak.runtime.table import FILLING, VR_NUMBER_BY_CODE, Flag, Role
from karnak.runtime.text import text_in
from karnak.runtime.values import Surroundings

_VR_UI = vr_code("UI")
_VR_SQ = vr_code("SQ")
# The flags as plain numbers: members of an enumeration are slow to calculate with.
_DATES_MOVED, _DATES_LOST = int(Flag.DATES_MOVED), int(Flag.DATES_LOST)
_PRIVATE_KEPT, _PRIVATE_UNSAFE = int(Flag.PRIVATE_KEPT), int(Flag.PRIVATE_UNSAFE)
_NOTED = _DATES_MOVED | _DATES_LOST | _PRIVATE_KEPT | _PRIVATE_UNSAFE
_MAX_STAMPS = 1 << 12
_NO_BYTES = np.zeros(1, np.uint8)
_NO_ANSWERS = np.zeros((0, 2), np.int64)
_NO_ROWS: frozenset[int] = frozenset()
_NOTHING_ADDED: Mapping[int, RawDataElement] = MappingProxyType({})
# Only the interpreter knows whether such a value is written at all, and which one comes first.
_TOO_LONG = "a new value is too long for its length field"


class Rewritten(NamedTuple):
    """A dataset that was rewritten.

    Attributes:
        segments: pieces of the new dataset in order: new bytes, and long runs of the input.
        uids: UIDs of the output by tag: SOP Class, SOP Instance, Study and Series.
        warnings: what rules asked for and could not be done.
    """

    segments: list[memoryview]
    uids: dict[int, str | None]
    warnings: list[str]


_CREATORS = Creators()


def rewrite(
    scanned: ScannedInstance,
    program: Program,
    project: Project,
    pseudonym: str | None,
    sets_attributes: bool,
    now: datetime,
) -> Rewritten:
    """Apply a program to an encoded dataset.

    Args:
        scanned: the indexed dataset, in Explicit or Implicit VR Little Endian; its index is used up.
        program: the compiled profile.
        project: name and secret.
        pseudonym: the patient's pseudonym, or None.
        sets_attributes: set what de-identification always sets; tag morphing does not, and needs no pseudonym.
        now: the time, with its zone.

    Raises:
        Excluded: a rule asked for it.
        Rejected: a rule could not be carried out.
        UnwritableInstance: a new value does not fit.
        FallBack: the interpreter has to do it.
    """
    return _Rewrite(scanned, program, project).run(pseudonym, sets_attributes, now)


class _Rewrite:
    """One instance under one program."""

    def __init__(self, scanned: ScannedInstance, program: Program, project: Project) -> None:
        self.memory = memory_of(project)
        self.root = scanned
        self.data, self.array = scanned.data, scanned.array
        self.rows, self.size, self.encoding = scanned.rows, scanned.size, scanned.encoding
        self.program, self.project = program, project
        self.sop_class_uid = scanned.text(SOP_CLASS_UID)
        text = scanned.text(PATIENT_ID)
        patient_id = text.split("\\")[0] if text else ""
        if not patient_id:
            raise Rejected(NO_PATIENT_ID)
        around = Surroundings(project, patient_id, self.encoding, scanned.repertoire, scanned.repertoire)
        conditions = program.conditions
        if conditions.tags.size:
            scanned.prepare(conditions.tags)
        self.bits = conditions.evaluate(scanned)
        self.table = program.table(self.sop_class_uid, self.bits, self.encoding)
        self.maker = Maker(scanned, self.table, self.memory, around, self.sop_class_uid)
        self.space = scanned.space
        # The cells that expressions have led to, by row in ascending order.
        self.answers = _NO_ANSWERS
        # What is added at the root, and the rows of private creators that stay for it.
        self.added = _NOTHING_ADDED
        self.staying = _NO_ROWS

    def run(self, pseudonym: str | None, sets_attributes: bool, now: datetime) -> Rewritten:
        calls, late, flags = self.plan()
        maker = self.maker
        maker.plain = not flags & (NESTED_CHARSET | CHARSET_EDITED) and not maker.begins_early()
        made = maker.make(calls) if calls else _NO_BYTES
        self.note(flags | maker.flags)
        additions, warnings = self.add()
        if late:
            maker.settle_creators(late, self.staying)
        if sets_attributes and pseudonym is None:
            raise Rejected(NO_PSEUDONYM)
        stamped, stamp_bytes = self.stamp(pseudonym if sets_attributes else None, now, additions)
        uids = self.uids(made)
        if uids[SOP_INSTANCE_UID] is None:
            raise Rejected(NO_SOP_INSTANCE_UID)
        return Rewritten(self.assemble(made, stamped, stamp_bytes), uids, warnings)

    # --- planning -----------------------------------------------------------------------

    def plan(self) -> tuple[int, int, int]:
        """Decide every element.

        Returns:
            How many values are to be made, how many private creators of the root are left to be settled after
            additions, and the flags of the cells that were used.
        """
        table = self.table
        vrs = dictionary_vrs()
        creators = _CREATORS
        space = self.space
        while True:
            cells = table.cells.arrays
            outcome, calls, late, misses, flags = make_plan(
                self.array,
                self.rows,
                self.size,
                self.encoding.implicit,
                VR_NUMBER_BY_CODE,
                vrs.tags,
                vrs.vrs,
                vrs.patterns,
                cells.keys,
                cells.values,
                cells.columns,
                creators.slots,
                creators.places,
                creators.texts,
                space.creators,
                space.calls,
                space.misses,
                self.answers,
            )
            if outcome == PLANNED and not misses:
                return calls, late, flags
            if misses:
                self.find_out(space.misses[:misses].tolist(), creators)
            if outcome != PLANNED:
                space.calls = np.empty((2 * len(space.calls), 5), np.int64)
                space.misses = np.empty((2 * len(space.misses), 3), np.int64)

    def find_out(self, misses: list[list[int]], creators: Creators) -> None:
        """Find out what the plan has missed: cells, numbers of creators, answers of expressions."""
        asked = [(row, cell) for row, cell, creator in misses if creator == ASKED]
        answers = [(row, cell, self.maker.ask(self.table.cells.verdicts[cell], row)) for row, cell in asked]
        try:
            with FILLING:
                self.fill([miss for miss in misses if miss[2] != ASKED], creators)
                found = [(row, self.table.answered(cell, answer.step, answer.verb)) for row, cell, answer in answers]
        except (TableFull, TooManyCreators):
            raise FallBack("a table has grown to its bound") from None
        if found:
            self.answers = np.array(sorted([*self.answers.tolist(), *map(list, found)]), np.int64)

    def fill(self, misses: list[list[int]], creators: Creators) -> None:
        """Fill in cells, and number private creators."""
        filled: set[tuple[int, int, int, str, bool]] = set()
        for row, context, creator in misses:
            if creator < 0:
                creators.add(self.root.value(row))
                continue
            tag = int(self.rows[row, TAG])
            is_sequence = bool(self.rows[row, KIND] & SEQUENCE)
            vr = "SQ" if is_sequence else effective_vr(tag, vr_name(int(self.rows[row, VR])))
            wanted = (context, creator, tag, vr, is_sequence)
            if wanted not in filled:
                filled.add(wanted)
                key = ElementKey(tag, creators.text(creator))
                self.table.fill(context, key, creator, vr, _role(tag, vr, is_sequence))

    # --- the root -----------------------------------------------------------------------

    def note(self, flags: int) -> None:
        """Take note of what the cells have done."""
        deeds = self.maker.deeds
        if flags & _NOTED:
            deeds.dates_moved |= flags & _DATES_MOVED != 0
            deeds.dates_lost |= flags & _DATES_LOST != 0
            deeds.private_kept |= flags & _PRIVATE_KEPT != 0
            deeds.private_unsafe |= flags & _PRIVATE_UNSAFE != 0
        basic = self.table.basic
        if basic is not None:
            deeds.basic, deeds.options = True, basic.options

    def add(self) -> tuple[dict[int, bytes], list[str]]:
        """What rules add at the root, encoded, and what they could not."""
        wanted = self.table.additions
        if not wanted and not self.maker.asked_for:
            return {}, []
        tags = [rule.effect.tag for rule in wanted if isinstance(rule.effect, AddElement | AddPrivateElement)]
        tags += [addition.tag for _, addition in self.maker.asked_for]
        output = RawDataset()
        around = replace(self.maker.around, output_repertoire=self.maker.output_repertoire(-1, PATIENT_ID))
        original = IndexedOriginal(self.root, self.sop_class_uid, tags)
        _, warnings = add_all(wanted, self.maker.asked_for, original, output, around)
        staying = creators_that_stay(self.root, map(int, output.keys()))
        for tag, row in staying.items():
            self.rows[row, EDIT] = KEPT
            output.pop(tag, None)
        self.staying = frozenset(staying.values())
        found = {tag: stored_leaf(output, tag) for tag in map(int, output.keys())}
        self.added = {tag: element for tag, element in found.items() if element is not None}
        try:
            return encoded_elements(self.added, self.encoding), warnings
        except UnwritableInstance:
            raise FallBack(_TOO_LONG) from None

    def stamp(
        self, pseudonym: str | None, now: datetime, additions: dict[int, bytes]
    ) -> tuple[Stamp, NDArray[np.uint8]]:
        """What stands at the root whatever the rules say, and what was added; with its bytes of now."""
        if pseudonym is None:
            alone = stamp_of(additions) if additions else NOTHING
            return alone, alone.array
        repertoire = (
            self.maker.output_repertoire(-1, PATIENT_ID)
            if not self.maker.plain
            else self.maker.around.output_repertoire
        )
        deeds = self.maker.deeds
        did = (
            deeds.basic,
            deeds.options,
            deeds.dates_moved,
            deeds.dates_lost,
            deeds.private_kept,
            deeds.private_unsafe,
        )
        patient_id = self.memory.patient_id(pseudonym)
        # The secret of a project shows in PatientID alone, which is put in each time.
        key = (self.project.name, pseudonym, len(patient_id), repertoire.terms, self.encoding.implicit, did)
        stamps = self.program.stamps
        found = None if additions else stamps.get(key)
        if found is None:
            elements, removed = always_set(deeds, self.program, self.project, pseudonym, now, self.encoding, repertoire)
            encoded = additions | encoded_elements(elements, self.encoding) | dict.fromkeys(removed, b"")
            found = stamp_of(encoded)
            if additions:
                return found, found.array
            if len(stamps) >= _MAX_STAMPS:
                stamps.clear()
            stamps[key] = found
        return found, found.at(now, patient_id)

    def assemble(self, made: NDArray[np.uint8], stamped: Stamp, stamp_bytes: NDArray[np.uint8]) -> list[memoryview]:
        """Write the new dataset."""
        classes = vr_classes()
        implicit = self.encoding.implicit
        room, too_long = measure(self.rows, self.size, implicit, classes)
        if too_long >= 0:
            raise FallBack(_TOO_LONG)
        out = np.empty(room + len(stamp_bytes) + 64, np.uint8)
        segments = self.space.segments
        while True:
            used, _ = write(
                self.array,
                self.root.start,
                self.root.stop,
                self.rows,
                self.size,
                implicit,
                classes,
                self.table.cells.pool,
                made,
                stamped.tags,
                stamped.places,
                stamp_bytes,
                out,
                segments,
            )
            if used >= 0:
                break
            segments = self.space.segments = np.empty((2 * len(segments), 3), np.int64)
        new = out.data
        return [(new if kind == NEW else self.data)[begin:end] for kind, begin, end in segments[1 : used + 1].tolist()]

    def uids(self, made: NDArray[np.uint8]) -> dict[int, str | None]:
        """The texts of the UIDs of the output that its outcome names."""
        edits = self.space.edits
        edits_of(self.rows, self.space.places, edits)
        found: dict[int, str | None] = {}
        for tag, (edit, vr, pool, start, size) in zip(OUTPUT_UIDS, edits.tolist(), strict=True):
            if edit == REMOVED or vr == _VR_SQ:
                found[tag] = None
            elif edit == KEPT and vr == _VR_UI:
                found[tag] = self.root.text(tag)
            elif vr == _VR_UI:
                found[tag] = text_in(self.new_value(made, pool, start, size), "UI", self.encoding, DEFAULT_REPERTOIRE)
            elif vr_name(vr) in REPERTOIRE_VRS:
                value = self.root.value(self.root.row(tag)) if edit == KEPT else self.new_value(made, pool, start, size)
                found[tag] = self.output_text(value, vr_name(vr))
            elif edit == KEPT:
                found[tag] = self.root.text(tag)
            else:
                value = self.new_value(made, pool, start, size)
                found[tag] = text_in(value, vr_name(vr), self.encoding, DEFAULT_REPERTOIRE)
        if self.added:
            for tag in self.added.keys() & found.keys():
                element = self.added[tag]
                found[tag] = self.output_text(element.value or b"", effective_vr(tag, element.VR or "UN"))
        return found

    def new_value(self, made: NDArray[np.uint8], pool: int, start: int, size: int) -> bytes:
        """A new value, of a pool of values that were made or are constants."""
        return (made if pool == MADE else self.table.cells.pool)[start : start + size].tobytes()

    def output_text(self, value: bytes, vr: str) -> str | None:
        """The text of a value in the character set of the output.

        Raises:
            FallBack: its bytes are no characters of that.
        """
        added = self.added.get(SPECIFIC_CHARACTER_SET)
        if added is not None:
            repertoire = repertoire_of_value(added.value or b"")
        else:
            repertoire = self.maker.output_repertoire(-1, PATIENT_ID)
        try:
            return text_in(value, vr, self.encoding, repertoire)
        except TextError:
            raise FallBack("a UID that the outcome names cannot be read") from None


def _role(tag: int, vr: str, is_sequence: bool) -> Role:
    if vr == "SQ":
        return Role.SEQUENCE if is_sequence else Role.UNREAD
    return Role.CREATOR if is_private_creator(tag) else Role.LEAF
