"""Values that depend on the instance: made for the elements that a plan lists, in their order.

Compiled code makes those of a common form (`derive`); the others are made here, one by one.
"""

from collections.abc import Container
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from karnak.errors import KarnakError
from karnak.ir.profile import AddElement, BasicProfile, Evaluate, Rule, Shift, ShiftByTag, ShiftRange
from karnak.ir.selector import format_tag
from karnak.runtime.amounts import MODIFIED_DATES, amount_of
from karnak.runtime.asking import Answer, ask
from karnak.runtime.decision import Decision, Verb
from karnak.runtime.deeds import DATE_AND_TIME_VRS, Deeds
from karnak.runtime.derive import derive
from karnak.runtime.encoding import SPECIFIC_CHARACTER_SET, TEXT_VRS
from karnak.runtime.evaluate import CurrentElement
from karnak.runtime.lower import Table
from karnak.runtime.memory import Memory
from karnak.runtime.plan import EDIT, KEPT, MADE, OFFSET, POOL, REMOVED, REPLACED, SIZE, put_made, restore
from karnak.runtime.rejection import Excluded, Rejected, named
from karnak.runtime.repertoire import DEFAULT_REPERTOIRE, Repertoire, repertoire_of_value
from karnak.runtime.scan import KIND, PARENT, SEQUENCE, TAG, vr_code
from karnak.runtime.scanned import ScannedInstance
from karnak.runtime.table import Role, Verdict
from karnak.runtime.text import text_in
from karnak.runtime.transform import carry_out
from karnak.runtime.values import Surroundings, encode_value, text_bytes

_NO_AMOUNTS = np.zeros((1, 3), np.int64)
# What a value that stays, and one that goes, are made into.
KEEP = (b"", "")
GONE = (b"", "gone")
# What is done without a look at the element.
_SETTLED = frozenset({Verb.KEEP, Verb.REMOVE, Verb.EMPTY, Verb.REPLACE})
_ODD_GROUP = 0x00010000
# Members of an enumeration are slow to look up.
_LEAF = Role.LEAF


@dataclass(slots=True)
class Maker:
    """What values of one instance are made from, and what was done when they were.

    Attributes:
        root: the instance.
        table: what the program does to it.
        memory: what its project remembers.
        around: what the values of its root dataset depend on.
        sop_class_uid: its SOP Class, or None.
        deeds: what was done.
        asked_for: what `Add(...)` asked for.
        plain: one repertoire holds in the whole instance, and its SpecificCharacterSet stays.
        flags: of what compiled code has made.
        inherited: what expressions have decided for sequences, by their rows: their items inherit its text or amount.
        charsets: values of SpecificCharacterSet that were made, by their rows; None where it goes.
    """

    root: ScannedInstance
    table: Table
    memory: Memory
    around: Surroundings
    sop_class_uid: str | None
    deeds: Deeds = field(default_factory=Deeds)
    asked_for: list[tuple[Rule, AddElement]] = field(default_factory=list)
    plain: bool = True
    flags: int = 0
    inherited: dict[int, Decision] = field(default_factory=dict)
    charsets: dict[int, bytes | None] = field(default_factory=dict)

    def ask(self, verdict: Verdict, row: int) -> Answer:
        """Ask the expressions about an element whose answer the plan of others waits for.

        Nothing is noted; they are asked again, and carried out or refused, when it is its turn.
        """
        encoding, parent = self.around.encoding, int(self.root.rows[row, PARENT])

        def read() -> str | None:
            return text_in(self.root.value(row), verdict.vr, encoding, self.repertoire(parent))

        answer = ask(verdict, self.root, CurrentElement(verdict.key.tag, verdict.vr, read))
        if answer.step is not None and answer.decision is not None:
            self.inherited[row] = replace(answer.decision, rule=answer.step.rule)
        return answer

    def make(self, calls: int) -> NDArray[np.uint8]:
        """Make the values of the listed elements; give the pool that they lie in.

        Args:
            calls: how many are listed in the workspace.

        Raises:
            Excluded: an expression asks for it.
            Rejected: a value cannot be made.
        """
        root, memory, space = self.root, self.memory, self.root.space
        effects = self.table.amounts
        amounts = memory.amounts(effects, root, self.around) if effects else _NO_AMOUNTS
        columns = self.table.cells.arrays.columns
        if len(space.left) < calls:
            space.left = np.empty(len(space.calls), np.int64)
        while True:
            used, left, flags = derive(
                root.array,
                root.rows,
                space.calls,
                calls,
                columns,
                memory.states,
                memory.known,
                amounts,
                space.pool,
                space.left,
            )
            if used >= 0:
                break
            space.pool = np.empty(2 * left, np.uint8)
        self.flags = flags
        return self.make_others(used, left) if left else space.pool

    def make_others(self, used: int, left: int) -> NDArray[np.uint8]:
        """Make the values that compiled code has left.

        Args:
            used: bytes of the pool that are filled.
            left: how many values are left.
        """
        space = self.root.space
        pieces: list[bytes] = []
        edits: list[int] = []
        offset = used
        verdicts, data = self.table.cells.verdicts, self.root.data
        for row, cell, begin, end, parent in space.calls[space.left[:left]].tolist():
            made = self.value(verdicts[cell], row, data[begin:end].tobytes(), parent)
            if made is KEEP:
                continue
            value, vr = made
            if not self.plain and verdicts[cell].key.tag == SPECIFIC_CHARACTER_SET:
                self.charsets[row] = None if made is GONE else value
            if made is GONE:
                edits += (row, REMOVED, 0, 0, 0)
                continue
            edits += (row, REPLACED, vr_code(vr), offset, len(value))
            pieces.append(value)
            offset += len(value)
        if edits:
            put_made(self.root.rows, np.array(edits, np.int64).reshape(-1, 5))
        return np.concatenate((space.pool[:used], np.frombuffer(b"".join(pieces), np.uint8)))

    def value(self, verdict: Verdict, row: int, raw: bytes, parent: int) -> tuple[bytes, str]:
        """Make one value: (bytes, VR), KEEP or GONE."""
        try:
            around = self.around if self.plain else self.around_of(row, parent)
            if verdict.role is not _LEAF:
                return self.without_value(verdict, row, raw, around, parent)
            decision = self.decide(verdict, row, raw, around, parent)
            if decision is None:
                self.note(verdict, None)
                return KEEP
            verb = decision.verb
            if verb not in _SETTLED or (verb is Verb.REPLACE and not decision.text):
                return self.carry_out(decision, verdict, row, around)
            self.note(verdict, decision)
            if verb is Verb.REPLACE:
                return self.replaced(verdict, decision.text or "", around), verdict.vr
            return KEEP if verb is Verb.KEEP else GONE if verb is Verb.REMOVE else (b"", verdict.vr)
        except (Excluded, Rejected):
            raise
        except KarnakError as error:
            tag = verdict.key.tag
            if verdict.role is Role.CREATOR:
                # Creators are settled when their item is done: it is the sequence that cannot be.
                tag = int(self.root.rows[self.root.rows[parent, PARENT], TAG])
                parent = self.around_item(parent)
            raise Rejected(f"{self.place(parent)}{format_tag(tag)}: {error}") from None

    def without_value(
        self, verdict: Verdict, row: int, raw: bytes, around: Surroundings, parent: int
    ) -> tuple[bytes, str]:
        """Decide an element of which no value is made."""
        if verdict.role is Role.CREATOR:
            return KEEP if self.creator_stays(verdict, row, raw, around, parent) else GONE
        decision = self.decide(verdict, row, raw, around, parent)
        if verdict.role is Role.SEQUENCE:
            # What becomes of it has been planned.
            return KEEP
        self.note(verdict, decision)
        if decision is None or decision.verb is Verb.KEEP:
            return KEEP
        return GONE if decision.verb is Verb.REMOVE else (b"", verdict.vr)

    def creator_stays(self, verdict: Verdict, row: int, raw: bytes, around: Surroundings, parent: int) -> bool:
        """Tell whether a private creator that reserves nothing stays, and take note of it."""
        decision = self.decide(verdict, row, raw, around, parent)
        self.deeds.note(verdict.key, "LO", decision)
        return decision is None or decision.verb is Verb.KEEP

    def settle_creators(self, late: int, staying: Container[int]) -> None:
        """Settle the private creators of the root that reserve nothing of the original.

        Args:
            late: how many are listed at the end of the workspace's calls, the last one first.
            staying: rows of those in whose blocks elements were added.
        """
        for row, cell, begin, end, parent in reversed(self.root.space.calls[-late:].tolist()):
            if row not in staying:
                around = self.around if self.plain else self.around_of(row, parent)
                raw = bytes(self.root.data[begin:end])
                stays = self.creator_stays(self.table.cells.verdicts[cell], row, raw, around, parent)
                self.root.rows[row, EDIT] = KEPT if stays else REMOVED

    def replaced(self, verdict: Verdict, text: str, around: Surroundings) -> bytes:
        """The value that new text is written as."""
        if verdict.vr in TEXT_VRS:
            return text_bytes(verdict.key.tag, verdict.vr, text, around.output_repertoire)
        new = encode_value(verdict.key.tag, verdict.vr, text, around.encoding, around.output_repertoire)
        return new.value or b""

    def note(self, verdict: Verdict, decision: Decision | None) -> None:
        """Take note of what was done to an element, where it is of a kind that the attributes of the output tell of."""
        if verdict.key.tag & _ODD_GROUP or verdict.vr in DATE_AND_TIME_VRS:
            self.deeds.note(verdict.key, verdict.vr, decision)

    def decide(self, verdict: Verdict, row: int, raw: bytes, around: Surroundings, parent: int) -> Decision | None:
        """The decision for one element, with what depends on the instance put in."""
        if verdict.steps:
            current = CurrentElement(
                verdict.key.tag, verdict.vr, lambda: text_in(raw, verdict.vr, around.encoding, around.repertoire)
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
                if parent >= 0:
                    restore(self.root.rows, row)
                return answer
        decision = verdict.decision
        if decision is None or decision.rule is None:
            return decision
        if decision.verb is Verb.EXCLUDE:
            raise Excluded(f"{named(decision.rule)} excludes this instance")
        if decision.verb is Verb.REPLACE and decision.text is None:
            return self.inherited_by(row)
        if decision.verb is Verb.SHIFT and decision.amount is None:
            effect = decision.rule.effect
            if isinstance(effect, Evaluate):
                return self.inherited_by(row)
            if isinstance(effect, BasicProfile):
                effect = MODIFIED_DATES
            assert isinstance(effect, Shift | ShiftRange | ShiftByTag)
            return replace(decision, amount=amount_of(effect, self.root, around))
        return decision

    def inherited_by(self, row: int) -> Decision:
        """What an expression has decided for the sequence whose items inherit it."""
        rows = self.root.rows
        while row not in self.inherited:
            item = int(rows[row, PARENT])
            if item < 0:
                raise AssertionError("nothing is inherited at the root")
            row = int(rows[item, PARENT])
        return self.inherited[row]

    def carry_out(self, decision: Decision, verdict: Verdict, row: int, around: Surroundings) -> tuple[bytes, str]:
        """Make of a value what was decided."""
        element = self.root.leaf(row)
        path = (*verdict.context.path, verdict.key)
        done, made = carry_out(decision, element, self.sop_class_uid, path, verdict.vr, around)
        self.note(verdict, done)
        if made is None:
            return GONE
        if made is element:
            return KEEP
        return made.value or b"", made.VR or "UN"

    # --- character repertoires ----------------------------------------------------------

    def around_of(self, row: int, parent: int) -> Surroundings:
        """What the values of a row's dataset depend on."""
        inside = self.root.encoding if parent < 0 else self.around.encoding
        return replace(
            self.around,
            encoding=inside,
            repertoire=self.repertoire(parent),
            output_repertoire=self.output_repertoire(parent, int(self.root.rows[row, TAG])),
        )

    def begins_early(self) -> bool:
        """Tell whether elements come before SpecificCharacterSet: what is written there can't know of it."""
        row = self.root.row(SPECIFIC_CHARACTER_SET)
        return row > 1 or (row == 1 and bool(self.root.rows[0, TAG] & 0xFFFF))

    def charset_row(self, parent: int) -> int:
        """The row of SpecificCharacterSet in the dataset of an item, -1 for none."""
        rows = self.root.rows[: self.root.size]
        found = np.nonzero((rows[:, TAG] == SPECIFIC_CHARACTER_SET) & (rows[:, PARENT] == parent))[0]
        usable = len(found) > 0 and not rows[found[0], KIND] & SEQUENCE
        return int(found[0]) if usable else -1

    def around_item(self, parent: int) -> int:
        """The item, or -1 for the root, around the sequence that holds an item."""
        return int(self.root.rows[self.root.rows[parent, PARENT], PARENT])

    def repertoire(self, parent: int) -> Repertoire:
        """The repertoire of the original dataset."""
        row = self.charset_row(parent)
        if row >= 0:
            return repertoire_of_value(self.root.value(row))
        return DEFAULT_REPERTOIRE if parent < 0 else self.repertoire(self.around_item(parent))

    def output_repertoire(self, parent: int, before: int) -> Repertoire:
        """The repertoire of what is written of a dataset, as far as elements before a tag say."""
        row = self.charset_row(parent) if before > SPECIFIC_CHARACTER_SET else -1
        value = self.charset_written(row) if row >= 0 else None
        if value is not None:
            return repertoire_of_value(value)
        if parent < 0:
            return DEFAULT_REPERTOIRE
        sequence = int(self.root.rows[parent, PARENT])
        return self.output_repertoire(self.around_item(parent), int(self.root.rows[sequence, TAG]))

    def charset_written(self, row: int) -> bytes | None:
        """What is written for a SpecificCharacterSet, None where it goes."""
        if row in self.charsets:
            return self.charsets[row]
        columns = self.root.rows[row]
        if columns[EDIT] == KEPT:
            return self.root.value(row)
        if columns[EDIT] == REMOVED:
            return None
        pool = self.root.space.pool if columns[POOL] == MADE else self.table.cells.pool
        return pool[columns[OFFSET] : columns[OFFSET] + columns[SIZE]].tobytes()

    def place(self, parent: int) -> str:
        """The way to an item as people read it: "(0008,1140)[0]/"."""
        if parent < 0:
            return ""
        sequence = int(self.root.rows[parent, PARENT])
        before = self.root.rows[sequence + 1 : parent, PARENT]
        number = int(np.count_nonzero(before == sequence))
        return f"{self.place(self.around_item(parent))}{format_tag(int(self.root.rows[sequence, TAG]))}[{number}]/"
