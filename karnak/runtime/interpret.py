"""The reference interpreter: a profile's rules applied to a Dataset in the plainest way.

It asks every rule about every element, in the order of the language page, section 3. It is
slow, obvious and the judge of every faster executor. Any error ends the instance: no path
gives back a dataset on which a rule has not run.
"""

from dataclasses import dataclass, field, replace

from pydicom import Dataset
from pydicom.dataelem import DataElement, RawDataElement

from karnak.errors import KarnakError
from karnak.ir.profile import (
    DATE_VRS,
    Action,
    AddElement,
    Apply,
    BasicProfile,
    Evaluate,
    Rule,
    Shift,
    ShiftByTag,
    ShiftRange,
    TruncateDate,
)
from karnak.ir.selector import ElementKey, format_tag
from karnak.runtime.additions import add_all
from karnak.runtime.amounts import MODIFIED_DATES, amount_of
from karnak.runtime.basic import Shifted, basic_action
from karnak.runtime.decision import VERBS, Decision, Verb
from karnak.runtime.deeds import Deeds
from karnak.runtime.dummies import CONTENT_SEQUENCE, content_items
from karnak.runtime.encoding import (
    TRAILING_PADDING,
    ItemSequence,
    RawDataset,
    effective_vr,
    encoding_of,
    sequence,
    stored,
    stored_leaf,
)
from karnak.runtime.evaluate import CurrentElement, condition_holds, evaluate
from karnak.runtime.keys import Project
from karnak.runtime.outcome import Change
from karnak.runtime.part10 import PATIENT_ID, Instance, repertoire_of
from karnak.runtime.private_blocks import block_is_used, creator_of, reserves_block
from karnak.runtime.program import Program
from karnak.runtime.rejection import NO_PATIENT_ID, Excluded, Rejected, named
from karnak.runtime.repertoire import DEFAULT_REPERTOIRE
from karnak.runtime.text import text_of
from karnak.runtime.transform import carry_out
from karnak.runtime.values import Surroundings
from karnak.standard.confidentiality import Option, table


@dataclass(slots=True)
class Interpretation:
    """The dataset that the rules made, and what they decided on the way."""

    dataset: RawDataset
    around: Surroundings
    changes: list[Change] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    deeds: Deeds = field(default_factory=Deeds)


@dataclass(frozen=True, slots=True)
class _Context:
    """Which rules may still apply, and what holds where none does (section 3.3)."""

    limit: int
    inherited: Decision | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the instance the walk is.

    Attributes:
        keys: keys of the sequences around, from the root.
        shown: the same for people, "(0008,1140)[0]/", empty at the root.
    """

    keys: tuple[ElementKey, ...] = ()
    shown: str = ""


def interpret(instance: Instance, program: Program, project: Project) -> Interpretation:
    """Apply every rule of a program to an instance.

    Args:
        instance: the original; it is not changed.
        program: the checked profile.
        project: whose secret UIDs and amounts are derived from.

    Raises:
        Excluded: a rule asked for it.
        Rejected: there is no PatientID, or a rule could not be carried out.
    """
    return _Run(instance, program, project).run()


class _Run:
    """One instance under one program."""

    def __init__(self, instance: Instance, program: Program, project: Project) -> None:
        self.instance = instance
        self.rules = program.profile.rules
        self.table = table(program.edition)
        self.sop_class_uid = instance.sop_class_uid
        encoding = encoding_of(instance.transfer_syntax_uid)
        # A dataset without SpecificCharacterSet can be written in the default repertoire only.
        self.around = Surroundings(project, _patient_id(instance), encoding, DEFAULT_REPERTOIRE, DEFAULT_REPERTOIRE)
        self.guards = [self.guard(rule) for rule in self.rules]
        self.result = Interpretation(RawDataset(), self.around)
        self.asked_for: list[tuple[Rule, AddElement]] = []
        # How many elements a rule other than the basic profile has decided.
        self.spoken = 0

    def guard(self, rule: Rule) -> bool:
        """Evaluate a rule's condition, once, on the original root dataset."""
        if rule.guard is None:
            return True
        try:
            return condition_holds(rule.guard, self.instance)
        except KarnakError as error:
            raise Rejected(f"the condition of {named(rule)} cannot be evaluated: {error}") from None

    def run(self) -> Interpretation:
        deeds = self.result.deeds
        for rule, holds in zip(self.rules, self.guards, strict=True):
            if isinstance(rule.effect, BasicProfile) and holds:
                deeds.basic, deeds.options = True, rule.effect.options
        everything = _Context(limit=len(self.rules) - 1)
        source = self.instance.dataset
        output = self.walk(source, _Place(), everything, self.around)
        self.result.dataset = output
        self.result.around = replace(
            self.around,
            repertoire=repertoire_of(source, DEFAULT_REPERTOIRE),
            output_repertoire=repertoire_of(output, DEFAULT_REPERTOIRE),
        )
        holding = [rule for rule, holds in zip(self.rules, self.guards, strict=True) if holds]
        changes, warnings = add_all(holding, self.asked_for, self.instance, output, self.result.around)
        self.settle_creators(source, output, _Place(), everything, self.around)
        self.result.changes += changes
        self.result.warnings += warnings
        return self.result

    def walk(self, source: Dataset, place: _Place, context: _Context, around: Surroundings) -> RawDataset:
        """Decide every element of one dataset in ascending order of tags; private creators are settled later."""
        output = RawDataset()
        inherited = around.output_repertoire
        around = replace(around, repertoire=repertoire_of(source, around.repertoire))
        for tag in sorted(map(int, source.keys())):
            if tag & 0xFFFF == 0 or tag == TRAILING_PADDING or reserves_block(source, tag):
                continue
            around = replace(around, output_repertoire=repertoire_of(output, inherited))
            key = ElementKey(tag, creator_of(source, tag))
            try:
                self.element(source, output, key, place, context, around)
            except (Excluded, Rejected):
                raise
            except KarnakError as error:
                raise Rejected(f"{place.shown}{format_tag(tag)}: {error}") from None
        return output

    def element(
        self,
        source: Dataset,
        output: RawDataset,
        key: ElementKey,
        place: _Place,
        context: _Context,
        around: Surroundings,
    ) -> None:
        """Decide one element and put what becomes of it into the output."""
        element = stored(source, key.tag)
        path = (*place.keys, key)
        if isinstance(element, RawDataElement):
            vr = effective_vr(key.tag, element.VR or "UN")
            decision = self.decide(path, vr, element, context, around)[1]
            becomes: RawDataElement | None = element
            if decision is not None:
                decision, becomes = carry_out(decision, element, self.sop_class_uid, path, vr, around)
            self.note(place, key, vr, decision)
            if becomes is not None:
                output.put(becomes)
            return
        index, decision = self.decide(path, "SQ", None, context, around)
        self.note(place, key, "SQ", decision)
        if index is not None and _replaces_content(decision, key):
            # Where no rule before the basic profile speaks of the content, one dummy stands for all of it.
            spoken = self.spoken
            items = self.items(key, element.value, place, _Context(index, decision), around)
            silent = self.spoken == spoken
            output.put(sequence(key.tag, content_items(around.encoding)) if silent else items)
        elif decision is None or decision.verb not in (Verb.REMOVE, Verb.EMPTY):
            inner = context if index is None else _Context(index, decision)
            output.put(self.items(key, element.value, place, inner, around))
        elif decision.verb is Verb.EMPTY:
            vr = element.value.vr
            output.put(sequence(key.tag, ItemSequence([], vr, False, element.value.encoding)))

    def items(
        self, key: ElementKey, items: ItemSequence, place: _Place, context: _Context, around: Surroundings
    ) -> DataElement:
        """Walk the items of a sequence that stays."""
        if context.inherited is not None and context.inherited.own_rows:
            context = _Context(context.limit)
        around = replace(around, encoding=items.encoding)
        walked: list[RawDataset] = []
        for number, item in enumerate(items):
            inside = _Place((*place.keys, key), f"{place.shown}{format_tag(key.tag)}[{number}]/")
            output = self.walk(item, inside, context, around)
            self.settle_creators(item, output, inside, context, around)
            output.is_undefined_length_sequence_item = item.is_undefined_length_sequence_item
            walked.append(output)
        return sequence(key.tag, ItemSequence(walked, items.vr, items.undefined_length, items.encoding))

    # --- deciding -----------------------------------------------------------------------

    def decide(
        self,
        path: tuple[ElementKey, ...],
        vr: str,
        element: RawDataElement | None,
        context: _Context,
        around: Surroundings,
    ) -> tuple[int | None, Decision | None]:
        """Find the first rule that decides an element, with its position; else what is inherited."""
        for index in range(context.limit + 1):
            rule = self.rules[index]
            if not self.guards[index] or not rule.selector.selects(path, vr):
                continue
            decision = self.ask(rule, path, vr, element, around)
            if decision is not None and decision.verb is Verb.ADD:
                addition = AddElement(decision.tag, decision.vr, decision.text or "")
                self.asked_for.append((rule, addition))
            elif decision is not None:
                if decision.verb is Verb.EXCLUDE:
                    raise Excluded(f"{named(rule)} excludes this instance")
                self.spoken += not isinstance(rule.effect, BasicProfile)
                return index, replace(decision, rule=rule)
        return None, context.inherited

    def ask(
        self,
        rule: Rule,
        path: tuple[ElementKey, ...],
        vr: str,
        element: RawDataElement | None,
        around: Surroundings,
    ) -> Decision | None:
        """Ask one rule whose guard holds and whose selector has the element."""
        match rule.effect:
            case Apply(action):
                return Decision(VERBS[action])
            case BasicProfile(options):
                return self.ask_basic_profile(options, path, vr, around)
            case Evaluate(expression):

                def read() -> str | None:
                    return None if element is None else text_of(element, around.encoding, around.repertoire)

                answer = evaluate(expression, self.instance, CurrentElement(path[-1].tag, vr, read))
                return answer if isinstance(answer, Decision) else None
            case Shift() | ShiftRange() | ShiftByTag():
                return (
                    Decision(Verb.SHIFT, amount=amount_of(rule.effect, self.instance, around))
                    if vr in DATE_VRS
                    else None
                )
            case TruncateDate(part):
                return Decision(Verb.TRUNCATE, part=part) if vr in ("DA", "DT") else None
            case _:
                return None

    def ask_basic_profile(
        self, options: frozenset[Option], path: tuple[ElementKey, ...], vr: str, around: Surroundings
    ) -> Decision | None:
        answer = basic_action(self.table, options, self.sop_class_uid, path, vr)
        if answer is None:
            return None
        if isinstance(answer, Shifted):
            return Decision(Verb.SHIFT, amount=amount_of(MODIFIED_DATES, self.instance, around))
        # The items of a sequence that keeps its place for its UIDs have rows of their own (section 5).
        return Decision(VERBS[answer], own_rows=answer is Action.UID and vr == "SQ")

    # --- private creators ---------------------------------------------------------------

    def settle_creators(
        self, source: Dataset, output: RawDataset, place: _Place, context: _Context, around: Surroundings
    ) -> None:
        """Keep a private creator as long as its block has an element, and no longer (section 3.5)."""
        around = replace(around, repertoire=repertoire_of(source, around.repertoire))
        for tag in sorted(map(int, source.keys())):
            element = stored_leaf(source, tag)
            if element is None or not reserves_block(source, tag):
                continue
            if block_is_used(output, tag):
                output.put(element)
            elif not block_is_used(source, tag):
                # A creator that reserves nothing is an element like any other; but it is never changed.
                path = (*place.keys, ElementKey(tag))
                decision = self.decide(path, element.VR or "UN", element, context, around)[1]
                self.note(place, path[-1], "LO", decision)
                if decision is None or decision.verb is Verb.KEEP:
                    output.put(element)

    # --- notes --------------------------------------------------------------------------

    def note(self, place: _Place, key: ElementKey, vr: str, decision: Decision | None) -> None:
        """Note what was decided, for the report and for the attributes that say what was done."""
        self.result.deeds.note(key, vr, decision)
        if decision is None:
            return
        rule = decision.rule
        name, line = (rule.name, rule.span.line) if rule else (None, 0)
        self.result.changes.append(Change(place.shown + format_tag(key.tag), decision.verb, name, line))


def _patient_id(instance: Instance) -> str:
    """The first value of PatientID; without one nothing can be derived and nothing may leave.

    Raises:
        Rejected: there is none.
    """
    text = instance.text(PATIENT_ID)
    first = text.split("\\")[0] if text else ""
    if not first:
        raise Rejected(NO_PATIENT_ID)
    return first


def _replaces_content(decision: Decision | None, key: ElementKey) -> bool:
    """Tell whether the basic profile puts a dummy for a document's content."""
    if decision is None or decision.rule is None or key.tag != CONTENT_SEQUENCE:
        return False
    return decision.verb is Verb.DUMMY and isinstance(decision.rule.effect, BasicProfile)
