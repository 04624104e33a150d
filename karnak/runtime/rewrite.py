"""The fast executor: a program applied to encoded bytes through its decision table.

It looks at headers, copies what is kept as it lies, and makes only what changes. What it cannot take as a table
says, it hands to the interpreter by raising FallBack; it never guesses. Its meaning is the interpreter's.
"""

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from karnak.errors import KarnakError
from karnak.ir.profile import DATE_VRS, AddElement, AddPrivateElement, BasicProfile, Rule, Shift, ShiftByTag, ShiftRange
from karnak.ir.selector import ElementKey, format_tag, is_private
from karnak.runtime.additions import add_all
from karnak.runtime.always_set import always_set
from karnak.runtime.amounts import MODIFIED_DATES, amount_of
from karnak.runtime.assemble import NEW, measure, write
from karnak.runtime.conditions import ConditionUndecided
from karnak.runtime.creators import Creators, TooManyCreators
from karnak.runtime.decision import Decision, Verb
from karnak.runtime.deeds import Deeds
from karnak.runtime.encoding import (
    NUMBER_CODES,
    SPECIFIC_CHARACTER_SET,
    RawDataset,
    UnwritableInstance,
    effective_vr,
    stored,
)
from karnak.runtime.evaluate import CurrentElement
from karnak.runtime.keys import Project
from karnak.runtime.lower import Table, TableFull
from karnak.runtime.part10 import OUTPUT_UIDS, PATIENT_ID, SOP_CLASS_UID, SOP_INSTANCE_UID
from karnak.runtime.plan import (
    CHARSET_EDITED,
    EDIT,
    FALL_BACK,
    KEPT,
    MADE,
    NESTED_CHARSET,
    OFFSET,
    PLANNED,
    REMOVED,
    REPLACED,
    SIZE,
    edits_of,
    make_plan,
    put_made,
    restore,
)
from karnak.runtime.program import Program
from karnak.runtime.rejection import (
    NO_PATIENT_ID,
    NO_PSEUDONYM,
    NO_SOP_INSTANCE_UID,
    Excluded,
    FallBack,
    Rejected,
    named,
)
from karnak.runtime.repertoire import DEFAULT_REPERTOIRE, Repertoire, repertoire_of_value
from karnak.runtime.scan import (
    KIND,
    PARENT,
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
from karnak.runtime.table import VR_NUMBER_BY_CODE, Flag, Verdict
from karnak.runtime.text import text_in, text_of
from karnak.runtime.transform import carry_out
from karnak.runtime.values import Surroundings, zeros

_MAX_REMEMBERED = 1 << 16
_VR_UI = vr_code("UI")
_VR_SQ = vr_code("SQ")
# The flags as plain numbers: members of an enumeration are slow to calculate with.
_DATES_MOVED, _DATES_LOST = int(Flag.DATES_MOVED), int(Flag.DATES_LOST)
_PRIVATE_KEPT, _PRIVATE_UNSAFE = int(Flag.PRIVATE_KEPT), int(Flag.PRIVATE_UNSAFE)
_NOTED = _DATES_MOVED | _DATES_LOST | _PRIVATE_KEPT | _PRIVATE_UNSAFE
_NEW_UIDS = frozenset({Verb.UID, Verb.DUMMY})
_NO_BYTES = np.zeros(1, np.uint8)
# Only the interpreter knows whether such a value is written at all, and which one comes first.
_TOO_LONG = "a new value is too long for its length field"
# What a value that stays is made into.
KEEP = (b"", "")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A dataset that was rewritten.

    Attributes:
        segments: pieces of the new dataset in order: new bytes, and long runs of the input.
        uids: UIDs of the output by tag: SOP Class, SOP Instance, Study and Series.
        warnings: what rules asked for and could not be done.
    """

    segments: list[memoryview]
    uids: dict[int, str | None]
    warnings: list[str]


class Memory:
    """What a project derives again and again: new UIDs, and dates of a patient; bounded."""

    def __init__(self) -> None:
        self.uids: dict[bytes, bytes] = {}
        self.dates: dict[tuple[bytes, int, Table, str], tuple[bytes, bool, bool]] = {}
        self.stamps: dict[tuple[object, ...], Stamp] = {}

    def bound(self) -> None:
        """Forget everything that has grown too large; it is derived again when it is needed."""
        for remembered in (self.uids, self.dates, self.stamps):
            if len(remembered) > _MAX_REMEMBERED:
                remembered.clear()


_MEMORIES: dict[Project, Memory] = {}
_MAX_PROJECTS = 256


_CREATORS = Creators()


def _memory(project: Project) -> Memory:
    found = _MEMORIES.get(project)
    if found is None:
        if len(_MEMORIES) >= _MAX_PROJECTS:
            _MEMORIES.clear()
        found = _MEMORIES[project] = Memory()
    found.bound()
    return found


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
        self.memory = _memory(project)
        self.root = scanned
        self.data, self.array = scanned.data, scanned.array
        self.rows, self.size, self.encoding = scanned.rows, scanned.size, scanned.encoding
        self.program, self.project = program, project
        self.sop_class_uid = scanned.text(SOP_CLASS_UID)
        text = scanned.text(PATIENT_ID)
        patient_id = text.split("\\")[0] if text else ""
        if not patient_id:
            raise Rejected(NO_PATIENT_ID)
        self.around = Surroundings(project, patient_id, self.encoding, scanned.repertoire, scanned.repertoire)
        try:
            conditions = program.conditions
            if len(conditions):
                scanned.prepare(conditions.tags)
            self.bits = conditions.evaluate(scanned)
        except ConditionUndecided:
            raise FallBack("a condition inside an expression cannot be evaluated") from None
        self.table = program.table(self.sop_class_uid, self.bits, self.encoding)
        self.deeds = Deeds()
        self.asked_for: list[tuple[Rule, AddElement]] = []
        # One repertoire holds in the whole instance and its SpecificCharacterSet stays.
        self.plain = True
        # What was done to the last value that was made.
        self.done = Decision(Verb.KEEP)
        self.space = scanned.space

    def run(self, pseudonym: str | None, sets_attributes: bool, now: datetime) -> Rewritten:
        calls, flags = self.plan()
        self.plain = not flags & (NESTED_CHARSET | CHARSET_EDITED) and not self.begins_early()
        made = self.make(calls)
        self.note(flags)
        additions, warnings = self.add()
        if sets_attributes and pseudonym is None:
            raise Rejected(NO_PSEUDONYM)
        stamped = self.stamp(pseudonym if sets_attributes else None, now, additions)
        uids = self.uids(made)
        if uids[SOP_INSTANCE_UID] is None:
            raise Rejected(NO_SOP_INSTANCE_UID)
        return Rewritten(self.assemble(made, stamped), uids, warnings)

    # --- planning -----------------------------------------------------------------------

    def plan(self) -> tuple[int, int]:
        """Decide every element; give how many values are to be made, and the flags of the cells that were used."""
        table = self.table
        vrs = dictionary_vrs()
        creators = _CREATORS
        space = self.space
        while True:
            cells = table.cells
            outcome, calls, misses, flags = make_plan(
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
            )
            if outcome == PLANNED and not misses:
                return calls, flags
            if outcome == FALL_BACK:
                raise FallBack("an expression decides what only the interpreter can follow")
            if misses:
                self.fill(misses, creators)
            if outcome != PLANNED:
                space.calls = np.empty((2 * len(space.calls), 5), np.int64)
                space.misses = np.empty((2 * len(space.misses), 3), np.int64)

    def fill(self, misses: int, creators: Creators) -> None:
        """Fill in the cells that the plan has missed."""
        filled: set[tuple[int, int, int, str]] = set()
        for row, context, creator in self.space.misses[:misses].tolist():
            try:
                if creator < 0:
                    creators.add(self.root.value(row))
                    continue
                tag = int(self.rows[row, TAG])
                is_sequence = bool(self.rows[row, KIND] & SEQUENCE)
                vr = "SQ" if is_sequence else effective_vr(tag, vr_name(int(self.rows[row, VR])))
                wanted = (context, creator, tag, vr)
                if wanted not in filled:
                    filled.add(wanted)
                    reserves = tag >> 16 & 1 == 1 and 0x10 <= tag & 0xFFFF <= 0xFF and not is_sequence
                    key = ElementKey(tag, creators.text(creator))
                    self.table.fill(context, key, creator, vr, creator=reserves)
            except (TableFull, TooManyCreators):
                raise FallBack("a table has grown to its bound") from None

    # --- values -------------------------------------------------------------------------

    def make(self, calls: int) -> bytes:
        """Make the values that depend on the instance; give them joined."""
        if not calls:
            return b""
        pieces: list[bytes] = []
        edits: list[tuple[int, int, int, int, int]] = []
        offset = 0
        verdicts = self.table.cells.verdicts
        uids, dates = self.memory.uids, self.memory.dates
        for row, cell, begin, end, parent in self.space.calls[:calls].tolist():
            verdict = verdicts[cell]
            decision = verdict.decision
            if verdict.vr == "UI" and not verdict.steps and decision is not None and decision.verb in _NEW_UIDS:
                raw = bytes(self.data[begin:end])
                value = uids.get(raw)
                if value is not None:
                    edits.append((row, REPLACED, _VR_UI, offset, len(value)))
                    pieces.append(value)
                    offset += len(value)
                    continue
            elif verdict.vr in NUMBER_CODES and not verdict.steps and decision and decision.verb is Verb.DUMMY:
                value = zeros(verdict.vr, end - begin)
                edits.append((row, REPLACED, vr_code(verdict.vr), offset, len(value)))
                pieces.append(value)
                offset += len(value)
                continue
            elif verdict.vr in DATE_VRS and not verdict.steps and decision is not None and self.plain:
                known = dates.get((bytes(self.data[begin:end]), cell, self.table, self.around.patient_id))
                if known is not None:
                    value, moved, lost = known
                    self.deeds.dates_moved |= moved
                    self.deeds.dates_lost |= lost
                    edits.append((row, REPLACED, vr_code(verdict.vr), offset, len(value)))
                    pieces.append(value)
                    offset += len(value)
                    continue
            new = self.value(verdict, row, parent)
            if new is None:
                edits.append((row, REMOVED, 0, 0, 0))
            elif new is not KEEP:
                value, vr = new
                lasts = not verdict.steps and self.plain and self.lasting(decision)
                if lasts and vr == verdict.vr and vr in DATE_VRS:
                    alone = Deeds()
                    alone.note(verdict.key, verdict.vr, self.done)
                    key = (bytes(self.data[begin:end]), cell, self.table, self.around.patient_id)
                    dates[key] = (value, alone.dates_moved, alone.dates_lost)
                edits.append((row, REPLACED, vr_code(vr), offset, len(value)))
                pieces.append(value)
                offset += len(value)
        if edits:
            put_made(self.rows, np.array(edits, np.int64))
        return b"".join(pieces)

    def value(self, verdict: Verdict, row: int, parent: int) -> "tuple[bytes, str] | None":
        """Make one value: (bytes, VR), None where the element goes, KEEP where it stays."""
        try:
            around = self.around_of(row, parent)
            decision = self.decide(verdict, row, around)
            if decision is None:
                return KEEP
            if decision.verb is Verb.KEEP:
                self.deeds.note(verdict.key, verdict.vr, decision)
                return KEEP
            return self.carry_out(decision, verdict, row, around)
        except (Excluded, Rejected):
            raise
        except KarnakError as error:
            tag = format_tag(verdict.key.tag)
            raise Rejected(f"{self.place(parent)}{tag}: {error}") from None

    def decide(self, verdict: Verdict, row: int, around: Surroundings) -> Decision | None:
        """The decision for one element, with what depends on the instance put in."""
        current = CurrentElement(
            verdict.key.tag, verdict.vr, lambda: text_of(self.root.leaf(row), around.encoding, around.repertoire)
        )
        for step in verdict.steps:
            answer = step.question(self.root, current)
            if not isinstance(answer, Decision):
                continue
            if answer.verb is Verb.ADD:
                self.asked_for.append((step.rule, AddElement(answer.tag, answer.vr, answer.text or "")))
                continue
            if answer.verb is Verb.EXCLUDE:
                raise Excluded(f"{named(step.rule)} excludes this instance")
            restore(self.rows, row)
            return replace(answer, rule=step.rule)
        decision = verdict.decision
        if decision is None or decision.rule is None:
            return decision
        if decision.verb is Verb.EXCLUDE:
            raise Excluded(f"{named(decision.rule)} excludes this instance")
        if decision.verb is Verb.SHIFT and decision.amount is None:
            effect = decision.rule.effect
            if isinstance(effect, BasicProfile):
                effect = MODIFIED_DATES
            assert isinstance(effect, Shift | ShiftRange | ShiftByTag)
            return replace(decision, amount=amount_of(effect, self.root, around))
        return decision

    def carry_out(
        self, decision: Decision, verdict: Verdict, row: int, around: Surroundings
    ) -> "tuple[bytes, str] | None":
        element = self.root.leaf(row)
        path = (*verdict.context.path, verdict.key)
        raw = element.value or b""
        done, made = carry_out(decision, element, self.sop_class_uid, path, verdict.vr, around)
        self.done = done
        self.deeds.note(verdict.key, verdict.vr, done)
        if made is None:
            return None
        if made is element:
            return KEEP
        value, vr = made.value or b"", made.VR or "UN"
        if verdict.vr == "UI" and done.verb in (Verb.UID, Verb.DUMMY):
            self.memory.uids[raw] = value
        return value, vr

    # --- character repertoires ----------------------------------------------------------

    def lasting(self, decision: Decision | None) -> bool:
        """Tell whether a value depends on nothing of the instance but the patient and the value itself."""
        rule = None if decision is None else decision.rule
        return rule is None or not isinstance(rule.effect, ShiftByTag)

    def around_of(self, row: int, parent: int) -> Surroundings:
        """What the values of a row's dataset depend on."""
        if self.plain:
            return self.around
        inside = self.root.encoding if parent < 0 else self.around.encoding
        return replace(
            self.around,
            encoding=inside,
            repertoire=self.repertoire(parent),
            output_repertoire=self.output_repertoire(parent, int(self.rows[row, TAG])),
        )

    def begins_early(self) -> bool:
        """Tell whether elements come before SpecificCharacterSet: what is written there can't know of it."""
        row = self.root.row(SPECIFIC_CHARACTER_SET)
        return row > 1 or (row == 1 and bool(self.rows[0, TAG] & 0xFFFF))

    def charset_row(self, parent: int) -> int:
        """The row of SpecificCharacterSet in the dataset of an item, -1 for none."""
        rows = self.rows[: self.size]
        found = np.nonzero((rows[:, TAG] == SPECIFIC_CHARACTER_SET) & (rows[:, PARENT] == parent))[0]
        usable = len(found) > 0 and not rows[found[0], KIND] & SEQUENCE
        return int(found[0]) if usable else -1

    def around_item(self, parent: int) -> int:
        """The item, or -1 for the root, around the sequence that holds an item."""
        return int(self.rows[self.rows[parent, PARENT], PARENT])

    def repertoire(self, parent: int) -> Repertoire:
        """The repertoire of the original dataset."""
        row = self.charset_row(parent)
        if row >= 0:
            return repertoire_of_value(self.root.value(row))
        return DEFAULT_REPERTOIRE if parent < 0 else self.repertoire(self.around_item(parent))

    def output_repertoire(self, parent: int, before: int) -> Repertoire:
        """The repertoire of what is written of a dataset, as far as elements before a tag say."""
        row = self.charset_row(parent) if before > SPECIFIC_CHARACTER_SET else -1
        edit = REMOVED if row < 0 else self.rows[row, EDIT]
        if edit == KEPT:
            return repertoire_of_value(self.root.value(row))
        if edit == REPLACED:
            start = int(self.rows[row, OFFSET])
            return repertoire_of_value(bytes(self.table.cells.constants[start : start + int(self.rows[row, SIZE])]))
        if parent < 0:
            return DEFAULT_REPERTOIRE
        sequence = int(self.rows[parent, PARENT])
        return self.output_repertoire(self.around_item(parent), int(self.rows[sequence, TAG]))

    # --- the root -----------------------------------------------------------------------

    def note(self, flags: int) -> None:
        """Take note of what the cells have done."""
        deeds = self.deeds
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
        if not wanted and not self.asked_for:
            return {}, []
        tags = [rule.effect.tag for rule in wanted if isinstance(rule.effect, AddElement | AddPrivateElement)]
        tags += [addition.tag for _, addition in self.asked_for]
        if any(is_private(tag) and self.has_group(tag >> 16) for tag in tags):
            raise FallBack("a private element is added to a group that the instance has")
        output = RawDataset()
        around = replace(self.around, output_repertoire=self.output_repertoire(-1, PATIENT_ID))
        _, warnings = add_all(wanted, self.asked_for, _Original(self), output, around)
        added = {tag: stored(output, tag) for tag in map(int, output.keys())}
        if not added.keys().isdisjoint(OUTPUT_UIDS):
            raise FallBack("a UID that the outcome names is added")
        try:
            return encoded_elements(added, self.encoding), warnings
        except UnwritableInstance:
            raise FallBack(_TOO_LONG) from None

    def has_group(self, group: int) -> bool:
        """Tell whether the root dataset has an element of a group."""
        rows = self.rows[: self.size]
        return bool(np.any((rows[:, TAG] >> 16 == group) & (rows[:, PARENT] < 0)))

    def stamp(self, pseudonym: str | None, now: datetime, additions: dict[int, bytes]) -> Stamp:
        """What stands at the root whatever the rules say, and what was added."""
        if pseudonym is None:
            return stamp_of(additions) if additions else NOTHING
        repertoire = self.output_repertoire(-1, PATIENT_ID) if not self.plain else self.around.output_repertoire
        deeds = self.deeds
        did = (
            deeds.basic,
            deeds.options,
            deeds.dates_moved,
            deeds.dates_lost,
            deeds.private_kept,
            deeds.private_unsafe,
        )
        key = (self.program, pseudonym, repertoire.terms, self.encoding.implicit, did)
        found = None if additions else self.memory.stamps.get(key)
        if found is None:
            elements, removed = always_set(deeds, self.program, self.project, pseudonym, now, self.encoding, repertoire)
            encoded = additions | encoded_elements(elements, self.encoding) | dict.fromkeys(removed, b"")
            found = stamp_of(encoded)
            if not additions:
                self.memory.stamps[key] = found
        return found.at(now) if not additions else found

    def assemble(self, made: bytes, stamped: Stamp) -> list[memoryview]:
        """Write the new dataset."""
        classes = vr_classes()
        implicit = self.encoding.implicit
        room, too_long = measure(self.rows, self.size, implicit, classes)
        if too_long >= 0:
            raise FallBack(_TOO_LONG)
        out = np.empty(room + len(stamped.data) + 64, np.uint8)
        segments = self.space.segments
        made_array = np.frombuffer(made, np.uint8) if made else _NO_BYTES
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
                made_array,
                stamped.tags,
                stamped.places,
                stamped.array,
                out,
                segments,
            )
            if used >= 0:
                break
            segments = self.space.segments = np.empty((2 * len(segments), 3), np.int64)
        new = out.data
        return [(new if kind == NEW else self.data)[begin:end] for kind, begin, end in segments[1 : used + 1].tolist()]

    def uids(self, made: bytes) -> dict[int, str | None]:
        """The texts of the UIDs of the output that its outcome names."""
        edits = np.empty((len(OUTPUT_UIDS), 5), np.int64)
        edits_of(self.rows, self.root.uid_rows, edits)
        found: dict[int, str | None] = {}
        for tag, (edit, vr, pool, start, size) in zip(OUTPUT_UIDS, edits.tolist(), strict=True):
            if edit == KEPT:
                found[tag] = self.root.text(tag)
            elif edit == REMOVED or vr == _VR_SQ:
                found[tag] = None
            else:
                value = (made if pool == MADE else self.table.cells.constants)[start : start + size]
                found[tag] = text_in(bytes(value), vr_name(vr), self.encoding, DEFAULT_REPERTOIRE)
        return found

    def place(self, parent: int) -> str:
        """The way to an item as people read it: "(0008,1140)[0]/"."""
        if parent < 0:
            return ""
        sequence = int(self.rows[parent, PARENT])
        before = self.rows[sequence + 1 : parent, PARENT]
        number = int(np.count_nonzero(before == sequence))
        return f"{self.place(self.around_item(parent))}{format_tag(int(self.rows[sequence, TAG]))}[{number}]/"


class _Original:
    """What additions ask of the original; private groups that it has are not added to here."""

    def __init__(self, rewrite: _Rewrite) -> None:
        self.root = rewrite.root
        self.sop_class_uid = rewrite.sop_class_uid
        self.dataset = RawDataset()

    def has(self, tag: int) -> bool:
        return self.root.has(tag)
