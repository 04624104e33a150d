"""Other readers take what the engine writes: pydicom everything, dcmdump a sample."""

import subprocess
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from pydicom import Dataset, config, dcmread
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.uid import UID

from karnak.runtime.program import Program
from karnak.testing.character_sets import DEFAULT, STAND_ALONE
from karnak.testing.instances import TRANSFER_SYNTAXES
from karnak.testing.reading import leaves, read_part10
from karnak.testing.specimen import BIG_ENDIAN, Element, Items, Leaf, Specimen, part10
from karnak.testing.strategies import instances, programs, specimens
from tests.runtime.making import basic, both_engines, program


@pytest.fixture(autouse=True, scope="module")
def _odd_lengths() -> Iterator[None]:
    """Drawn values of private elements need not suit the VR that pydicom's dictionary has for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "convert_wrong_length_to_UN", True)
        yield


def walk(dataset: Dataset, place: str = "") -> dict[str, bytes | None]:
    """All leaves as pydicom finds them, None for what it has decoded or encapsulated."""
    found: dict[str, bytes | None] = {}
    for tag in sorted(dataset.keys()):
        shown = f"{place}({tag.group:04X},{tag.element:04X})"
        element = cast("DataElement | RawDataElement", dataset.get_item(tag, keep_deferred=True))
        is_sequence = (element.VR or dataset[tag].VR) == "SQ"
        if isinstance(element, RawDataElement) and not is_sequence:
            found[shown] = element.value or b""
        elif is_sequence:
            for number, item in enumerate(dataset[tag].value or []):
                found |= walk(item, f"{shown}[{number}]/")
        else:
            found[shown] = None
    return found


# In Big Endian, pydicom reads the items of an unknown value of undefined length in Big Endian; PS3.5 6.2.2 says Little.
SYNTAXES = tuple(syntax for syntax in TRANSFER_SYNTAXES if syntax != BIG_ENDIAN)


@given(specimens(transfer_syntaxes=SYNTAXES, character_sets=(DEFAULT, *STAND_ALONE)), programs())
@settings(max_examples=150)
def test_pydicom_finds_what_was_written(made: Specimen, chosen: Program) -> None:
    outcome = both_engines(part10(made), chosen, mode="deid")
    if outcome.data is None:
        return
    with warnings.catch_warnings():
        # pydicom remarks on values that the input had already.
        warnings.simplefilter("ignore")
        read = dcmread(BytesIO(outcome.data))
        found = walk(read)
    assert read.file_meta.TransferSyntaxUID == UID(made.transfer_syntax_uid)
    assert read.file_meta.MediaStorageSOPInstanceUID == outcome.sop_instance_uid
    written = {path: leaf.value for path, leaf in leaves(read_part10(outcome.data)[2]) if isinstance(leaf, Leaf)}
    # Sequences that hide in unknown values are values to pydicom.
    hidden = {path.rpartition("[")[0] for path in written if path not in found}
    for path, value in written.items():
        if path in found and found[path] is not None:
            assert found[path] == value, path
        else:
            assert path in found or any(path.startswith(f"{other}[") for other in hidden)


@given(specimens(transfer_syntaxes=(BIG_ENDIAN,), character_sets=(DEFAULT,)), programs())
@settings(max_examples=40)
def test_pydicom_reads_big_endian_too(made: Specimen, chosen: Program) -> None:
    if any(leaf.vr == "UN" for _, leaf in leaves(made.elements) if isinstance(leaf, Leaf)) or hides(made.elements):
        return
    outcome = both_engines(part10(made), chosen, mode="deid")
    if outcome.data is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = walk(dcmread(BytesIO(outcome.data)))
        written = {path for path, _ in leaves(read_part10(outcome.data)[2])}
        assert set(found) == written


def hides(elements: tuple[Element, ...]) -> bool:
    """Whether a sequence hides in an unknown value."""
    found = [element for element in elements if isinstance(element, Items)]
    return any(each.unknown or any(hides(item.elements) for item in each.items) for each in found)


def test_dcmdump_reads_a_sample(tmp_path: Path) -> None:
    files: list[Path] = []

    @settings(max_examples=40, derandomize=True, database=None)
    @given(instances(character_sets=(DEFAULT,)), programs())
    def collect(data: bytes, chosen: Program) -> None:
        for each in (chosen, program(basic())):
            outcome = both_engines(data, each, mode="deid")
            if outcome.data is not None:
                path = tmp_path / f"{len(files)}.dcm"
                path.write_bytes(outcome.data)
                files.append(path)

    collect()
    assert len(files) > 20
    done = subprocess.run(["dcmdump", "+F", "-q", *map(str, files)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")[-2000:]
    assert done.stdout.count(b"P-001") >= len(files)
