"""Elements that rules add at the root, computed from the original (the language page, sections 2 and 3.4)."""

from karnak.ir.profile import AddElement, AddPrivateElement
from karnak.ir.selector import format_tag
from karnak.runtime.encoding import RawDataset
from karnak.runtime.part10 import Instance
from karnak.runtime.private_blocks import block_is_used, creator_of, creator_tag
from karnak.runtime.values import Surroundings, ValueRefused, encode_text, encode_value
from karnak.standard.iods import has_attribute


def add_element(
    addition: AddElement, instance: Instance, output: RawDataset, around: Surroundings, checked_by_iod: bool
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
    if tag in instance.dataset or tag in output:
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
    addition: AddPrivateElement, instance: Instance, output: RawDataset, around: Surroundings
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
    if tag in instance.dataset or tag in output:
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
