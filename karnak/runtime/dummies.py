"""Dummy values that an IOD needs to be more than legal for their VR.

Where an attribute has enumerated values, "UNKNOWN" would break what the dummy is there to keep: an instance
that readers accept. Source: PS3.15 E.1.1 ("D"), PS3.3 C.10.10 and C.17.3.
"""

from karnak.runtime.encoding import Encoding, ItemSequence, RawDataset, sequence
from karnak.runtime.repertoire import DEFAULT_REPERTOIRE
from karnak.runtime.values import DUMMY_TEXT, encode_text

CONTENT_SEQUENCE = 0x0040A730


def content_items(encoding: Encoding) -> ItemSequence:
    """The items that stand for a document's whole content: one comment that says nothing.

    Walking the tree would leave a value type in each item that fits none of its values.

    Args:
        encoding: how the items are to be written.
    """
    plain = DEFAULT_REPERTOIRE
    comment = RawDataset()
    name = RawDataset()
    for dataset, tag, vr, text in (
        (name, 0x00080100, "SH", "121106"),
        (name, 0x00080102, "SH", "DCM"),
        (name, 0x00080104, "LO", "Comment"),
        (comment, 0x0040A010, "CS", "CONTAINS"),
        (comment, 0x0040A040, "CS", "TEXT"),
        (comment, 0x0040A160, "UT", DUMMY_TEXT),
    ):
        dataset.put(encode_text(tag, vr, text, plain))
    for dataset in (name, comment):
        dataset.is_undefined_length_sequence_item = False
    comment.put(sequence(0x0040A043, ItemSequence([name], "SQ", False, encoding)))
    return ItemSequence([comment], "SQ", False, encoding)
