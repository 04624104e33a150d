"""Warming up: the compiled parts of the executor are made, or read from the disk, before the first patient's instance.

Without it the first instance on a new machine waits for the compiler for seconds.
"""

from datetime import UTC, datetime

from karnak.ir.profile import BasicProfile, Profile, Rule
from karnak.ir.selector import EVERY_TAG, Selector
from karnak.runtime.deidentify import deidentify
from karnak.runtime.encode import encode_dataset
from karnak.runtime.encoding import EXPLICIT, IMPLICIT, IMPLICIT_LITTLE_ENDIAN, ItemSequence, RawDataset, leaf, sequence
from karnak.runtime.keys import Project
from karnak.runtime.program import Program

_EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"


def warm_up() -> None:
    """De-identify an instance of nobody in both little endian encodings.

    Raises:
        RuntimeError: it could not be de-identified: this installation is broken.
    """
    everything = Rule("basic", "basic.dicom.profile", Selector((EVERY_TAG,)), BasicProfile())
    program = Program(Profile("Warming up", "", "", "", (everything,)))
    for encoding, transfer_syntax_uid in ((EXPLICIT, _EXPLICIT_LITTLE_ENDIAN), (IMPLICIT, IMPLICIT_LITTLE_ENDIAN)):
        item = RawDataset()
        item.put(leaf(0x00081155, "UI", b"1.2.3.4\0"))
        item.is_undefined_length_sequence_item = False
        nobody = RawDataset()
        for tag, vr, value in (
            (0x00080016, "UI", b"1.2.840.10008.5.1.4.1.1.7\0"),
            (0x00080018, "UI", b"1.2.3.4\0"),
            (0x00080020, "DA", b"20000101"),
            (0x00090010, "LO", b"NOBODY"),
            (0x00091001, "LO", b"NOTHING "),
            (0x00100020, "LO", b"NOBODY"),
            (0x0020000D, "UI", b"1.2.3\\1.2.4"),
        ):
            nobody.put(leaf(tag, vr, value))
        nobody.put(sequence(0x00081140, ItemSequence([item], "SQ", False, encoding)))
        outcome = deidentify(
            encode_dataset(nobody, encoding),
            program,
            Project("", bytes(16)),
            pseudonym="NOBODY",
            now=datetime(2000, 1, 1, tzinfo=UTC),
            transfer_syntax_uid=transfer_syntax_uid,
        )
        if outcome.data is None or outcome.fallback is not None:
            raise RuntimeError(f"the executor does not work on this machine: {outcome.reason or outcome.fallback}")


if __name__ == "__main__":
    warm_up()
