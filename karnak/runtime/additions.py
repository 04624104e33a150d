"""Elements that rules add at the root, computed from the original (the language page, sections 2 and 3.4)."""

from collections.abc import Iterable
from typing import Protocol

from pydicom import Dataset

from karnak.errors import KarnakError
from karnak.ir.profile import AddElement, AddPrivateElement, Rule
from karnak.ir.selector import format_tag
from karnak.runtime.encoding import RawDataset
from karnak.runtime.outcome import Change
from karnak.runtime.private_blocks import block_is_used, creator_of, creator_tag
from karnak.runtime.rejection import Rejected, named
from karnak.runtime.values import Surroundings, ValueRefused, encode_text, encode_value
from karnak.standard.iods import has_attribute


class Original(Protocol):
    """What additions ask of the original instance."""

    @property
    def dataset(self) -> Dataset: ...
    @property
    def sop_class_uid(self) -> str | None: ...
    def has(self, tag: int) -> bool: ...


def add_all(
    rules: Iterable[Rule],
    asked_for: Iterable[tuple[Rule, AddElement]],
    instance: Original,
    output: RawDataset,
    around: Surroundings,
) -> tuple[list[Change], list[str]]:
    """Add what rules and their expressions ask for.

    Args:
        rules: those whose guard holds, in profile order.
        asked_for: what `Add(...)` in expressions asked for, in the order of the elements they were asked about.
        instance: the original.
        output: where to add.
        around: how to write values.

    Returns:
        What was added, and sentences about what was not.

    Raises:
        Rejected: something cannot be added without error.
    """
    changes: list[Change] = []
    warnings: list[str] = []
    wanted: list[tuple[Rule, AddElement | AddPrivateElement, bool]] = [
        (rule, rule.effect, True) for rule in rules if isinstance(rule.effect, AddElement | AddPrivateElement)
    ]
    wanted += [(rule, addition, False) for rule, addition in asked_for]
    for rule, addition, checked_by_iod in wanted:
        try:
            if isinstance(addition, AddElement):
                refusal = add_element(addition, instance, output, around, checked_by_iod)
            else:
                refusal = add_private_element(addition, instance, output, around)
        except KarnakError as error:
            raise Rejected(f"{named(rule)} at {format_tag(addition.tag)}: {error}") from None
        if refusal is None:
            changes.append(Change(format_tag(addition.tag), "add", rule.name, rule.span.line))
        elif refusal:
            warnings.append(f"{named(rule)} adds nothing: {refusal}")
    return changes, warnings


def add_element(
    addition: AddElement, instance: Original, output: RawDataset, around: Surroundings, checked_by_iod: bool
) -> str | None:
    """Add an element if the original has none.

    Args:
        addition: what to add.
        instance: the original.
        output: where to add it.
        around: how to write it.
        checked_by_iod: only if the SOP Class's IOD has the attribute.

    Returns:
        None where it was added, "" where the original has it already, else a sentence why it was not.

    Raises:
        ValueRefused: the SOP Class is unknown, or the value is none of its VR.
        TextError: the instance's character set cannot write the value.
    """
    tag = addition.tag
    if instance.has(tag) or tag in output:
        return ""
    if checked_by_iod:
        allowed = has_attribute(instance.sop_class_uid, tag)
        if allowed is None:
            raise ValueRefused("whether this may be added is unknown for the SOP Class of this instance")
        if not allowed:
            return f"the IOD of this SOP Class has no {format_tag(tag)}"
    output.put(encode_value(tag, addition.vr, addition.value, around.encoding, around.output_repertoire))
    return None


def add_private_element(
    addition: AddPrivateElement, instance: Original, output: RawDataset, around: Surroundings
) -> str | None:
    """Add a private element if the original has none, and reserve its block (PS3.5 7.8.1).

    Args:
        addition: what to add.
        instance: the original.
        output: where to add it.
        around: how to write it.

    Returns:
        None where it was added, "" where the original has it already, else a sentence why it was not.

    Raises:
        ValueRefused: the value is none of its VR.
        TextError: the instance's character set cannot write the value.
    """
    tag = addition.tag
    reserved = creator_tag(tag)
    if instance.has(tag) or tag in output:
        return ""
    owner = creator_of(instance.dataset, tag) or creator_of(output, tag)
    if owner is not None and owner != addition.creator:
        return f"the block of {format_tag(tag)} is reserved by another private creator"
    if owner is None and block_is_used(instance.dataset, reserved) and addition.creator:
        return f"the block of {format_tag(tag)} holds elements without a private creator"
    output.put(encode_value(tag, addition.vr, addition.value, around.encoding, around.output_repertoire))
    if owner is None and addition.creator:
        output.put(encode_text(reserved, "LO", addition.creator, around.output_repertoire))
    return None
