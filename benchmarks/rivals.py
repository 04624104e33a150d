"""Engines of other people, each used as its manual says, in the environment that scripts/bench makes for them.

    python benchmarks/rivals.py NAME RECIPE

RECIPE is a file of deid's, which ships no basic profile; the others bring their own.
"""

import hashlib
import importlib
import io
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.passes import Engine, serve


class DicomAnonymizer:
    """Kitware's dicom-anonymizer, with its default rules."""

    def __init__(self) -> None:
        self._anonymize: Any = importlib.import_module("dicomanonymizer.simpledicomanonymizer").anonymize_dicom_file

    def begin(self, number: int) -> None:
        pass

    def file(self, source: Path, target: Path) -> None:
        self._anonymize(str(source), str(target))

    def memory(self, data: bytes) -> object:
        made = io.BytesIO()
        self._anonymize(io.BytesIO(data), made)
        return made


class Dicognito:
    """dicognito, with a seed per pass."""

    def __init__(self) -> None:
        self._make: Any = importlib.import_module("dicognito.anonymizer").Anonymizer
        self._read: Any = importlib.import_module("pydicom").dcmread
        self.begin(0)

    def begin(self, number: int) -> None:
        self._anonymizer = self._make(seed=str(number))

    def file(self, source: Path, target: Path) -> None:
        dataset = self._read(source)
        self._anonymizer.anonymize(dataset)
        dataset.save_as(target)

    def memory(self, data: bytes) -> object:
        dataset = self._read(io.BytesIO(data))
        self._anonymizer.anonymize(dataset)
        made = io.BytesIO()
        dataset.save_as(made)
        return made


class Deid:
    """deid, with the basic profile as a recipe."""

    def __init__(self, recipe: str) -> None:
        self._parser: Any = importlib.import_module("deid.dicom.parser").DicomParser
        self._recipe: Any = importlib.import_module("deid.config").DeidRecipe(recipe)
        self._read: Any = importlib.import_module("pydicom").dcmread

    def begin(self, number: int) -> None:
        pass

    def _parsed(self, source: Any) -> Any:
        parser = self._parser(source, recipe=self._recipe)
        parser.define("new_uid", lambda item, value, field, dicom: _new_uid(str(field.element.value)))
        parser.parse(remove_private=True)
        return parser.dicom

    def file(self, source: Path, target: Path) -> None:
        self._parsed(str(source)).save_as(target)

    def memory(self, data: bytes) -> object:
        made = io.BytesIO()
        self._parsed(self._read(io.BytesIO(data))).save_as(made)
        return made


def _new_uid(uid: str) -> str:
    return f"2.25.{int.from_bytes(hashlib.sha256(uid.encode()).digest()[:15])}"


def engine(name: str, recipe: str) -> Engine:
    """Find an engine by its name."""
    match name:
        case "dicom-anonymizer":
            return DicomAnonymizer()
        case "dicognito":
            return Dicognito()
        case "deid":
            return Deid(recipe)
    raise ValueError(f"there is no engine {name}")


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    serve(engine(sys.argv[1], sys.argv[2]))
