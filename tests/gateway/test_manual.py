"""The manual says what the gateway does: its examples work, its tables list what there is, no more and no less."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from karnak.dsl.nodes import Source
from karnak.gateway import journal
from karnak.gateway.config import Config, ForwardNodeEntry, ProjectEntry, SourceEntry
from karnak.gateway.config_destinations import (
    BasicEntry,
    BearerEntry,
    CommitmentSection,
    CsvEntry,
    DicomEntry,
    FolderEntry,
    GeneratedEntry,
    OAuth2Entry,
    RetryEntry,
    StowEntry,
    TagEntry,
    TlsEntry,
    VirtualEntry,
)
from karnak.gateway.config_house import (
    ApiSection,
    DicomwebSection,
    DoorEntry,
    IndexSection,
    LedgerSection,
    Listen,
    ReloadSection,
    SpoolSection,
    Tls,
)
from karnak.gateway.plan import make_plan
from karnak.gateway.pseudonyms import CsvPseudonyms
from karnak.gateway.receive.commands import Status
from karnak.gateway.states import TERMINAL, State

MANUAL = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text(encoding="utf-8")
HEX = "0123456789abcdef0123456789abcdef"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", MANUAL, re.DOTALL)
TABLE = re.findall(r"```\n(patient_id.*?)```", MANUAL, re.DOTALL)[0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Everything that the examples name."""
    for name in ("profiles", "secrets"):
        (tmp_path / name).mkdir()
    profile = "name: Research\nprofileElements:\n  - { name: a, codename: basic.dicom.profile }\n"
    (tmp_path / "profiles" / "research.yml").write_text(profile)
    (tmp_path / "secrets" / "trial-1.hex").write_text(HEX)
    (tmp_path / "secrets" / "trial-1.hex").chmod(0o600)
    (tmp_path / "ids.csv").write_text(TABLE)
    return tmp_path


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_work(text: str, folder: Path) -> None:
    plan, diagnostics = make_plan(Source("gateway.yml", text), folder, {"TRIAL_1_SECRET": HEX})
    assert diagnostics == ()
    assert plan is not None


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 3


def test_the_table_of_pseudonyms_is_one(folder: Path) -> None:
    assert len(CsvPseudonyms.read(folder / "ids.csv")) == 2


def _tables(heading: str) -> list[list[list[str]]]:
    """The cells of the tables below a heading, without their first two lines."""
    section = re.split(r"^#+ ", MANUAL, flags=re.MULTILINE)
    (body,) = [part for part in section if part.split("\n", 1)[0].strip("`") == heading]
    tables = re.findall(r"(?:^\|.*\n)+", body, re.MULTILINE)
    return [[[cell.strip() for cell in line.strip("|").split("|")] for line in t.splitlines()[2:]] for t in tables]


def _settings(rows: list[list[str]]) -> dict[str, str]:
    return {row[0].strip("`"): row[1].strip("`") for row in rows}


def _fields(model: type[BaseModel], but: frozenset[str] = frozenset()) -> Mapping[str, object]:
    fields = {field.alias or name: field.default for name, field in model.model_fields.items()}
    return {name: default for name, default in fields.items() if name not in but}


# A virtual destination has nothing of its own.
COMMON = frozenset(_fields(VirtualEntry))


@pytest.mark.parametrize(
    ("heading", "number", "fields"),
    [
        ("listen", 0, _fields(Listen)),
        ("listen", 1, _fields(Tls)),
        ("spool", 0, _fields(SpoolSection)),
        ("index", 0, _fields(IndexSection)),
        ("api", 0, _fields(ApiSection)),
        ("dicomweb", 0, _fields(DicomwebSection)),
        ("dicomweb", 1, _fields(DoorEntry)),
        ("ledger", 0, _fields(LedgerSection)),
        ("storage_commitment", 0, _fields(CommitmentSection)),
        ("reload", 0, _fields(ReloadSection)),
        ("projects", 0, _fields(ProjectEntry)),
        ("forward_nodes", 0, _fields(ForwardNodeEntry)),
        ("forward_nodes", 1, _fields(SourceEntry)),
        ("destinations", 0, _fields(VirtualEntry)),
        ("destinations", 1, _fields(DicomEntry, COMMON)),
        ("destinations", 2, _fields(StowEntry, COMMON)),
        ("destinations", 3, _fields(FolderEntry, COMMON)),
        ("retry", 0, _fields(RetryEntry)),
        ("tls", 0, _fields(TlsEntry)),
    ],
)
def test_the_tables_list_the_settings_and_their_defaults(
    heading: str, number: int, fields: Mapping[str, object]
) -> None:
    shown = _settings(_tables(heading)[number])
    assert shown.keys() == fields.keys()
    for name, default in fields.items():
        if default is PydanticUndefined:
            assert shown[name] == "needed"
        elif isinstance(default, bool):
            assert shown[name] == str(default).lower()
        elif isinstance(default, (int, str)):
            assert shown[name] == str(default)
        else:
            # None and empty lists: there is no value to show.
            assert not shown[name].isdigit()


def test_the_table_of_pseudonym_sources_lists_their_settings() -> None:
    (rows,) = _tables("pseudonym")
    listed = {(row[0].strip("`"), row[1].strip("`")) for row in rows}
    sources: dict[str, type[BaseModel]] = {"generated": GeneratedEntry, "tag": TagEntry, "csv": CsvEntry}
    assert listed == {("from", "")} | {
        (name, source) for source, model in sources.items() for name in _fields(model) if name != "from"
    }


def test_the_table_of_credentials_lists_their_settings() -> None:
    (rows,) = _tables("auth")
    listed = {(row[0].strip("`"), row[1].strip("`")) for row in rows}
    kinds: dict[str, type[BaseModel]] = {"basic": BasicEntry, "bearer": BearerEntry, "oauth2": OAuth2Entry}
    assert listed == {("type", "")} | {
        (name, kind) for kind, model in kinds.items() for name in _fields(model) if name != "type"
    }


def test_every_section_of_the_configuration_has_a_heading() -> None:
    headings = set(re.findall(r"^### `(\w+)`$", MANUAL, re.MULTILINE))
    assert headings == set(Config.model_fields) | {"destinations", "pseudonym", "retry", "tls", "auth"}


# What C-STORE can be answered with; the others of `Status` are for other requests.
STORE_STATUSES = (
    Status.SUCCESS,
    Status.PROCESSING_FAILURE,
    Status.UNSUPPORTED_SOP_CLASS,
    Status.OUT_OF_RESOURCES,
    Status.CANNOT_UNDERSTAND,
)


def test_the_table_of_statuses_lists_them_all() -> None:
    rows = _tables("What callers are told")[1]
    assert [row[0] for row in rows] == [f"{status:04X}H" for status in STORE_STATUSES]


def test_the_table_of_states_lists_them_all() -> None:
    (rows,) = _tables("What becomes of an instance")
    listed = {word for row in rows for word in re.findall(r"`([^`]+)`", row[0])}
    assert listed == {str(state) for state in State} - {str(State.RECEIVED)}


def _events(package: Path) -> set[str]:
    """What is written to the journal, by a literal."""
    found = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, (ast.Attribute, ast.Name)) and node.args:
                owner, _, name = ast.unparse(node.func).rpartition(".")
                on_journal = name in ("write", "write_error") and (not owner or "journal" in owner)
                first = node.args[0]
                named = on_journal or name in ("journal", "journal_error", "_journal", "_say", "_note")
                if named and isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.add(first.value)
    return found


def test_the_table_of_events_lists_them_all() -> None:
    (rows,) = _tables("The journal")
    listed = {word for row in rows for word in re.findall(r"`([^`]+)`", row[0])}
    # Ends are written by the name of their state.
    assert listed == _events(Path(str(journal.__file__)).parent) | {str(state) for state in TERMINAL}
