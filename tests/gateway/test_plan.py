"""A plan is made only of things that exist and fit together; everything else has its place in the file."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from karnak.dsl.diagnostics import Diagnostic
from karnak.dsl.nodes import Source
from karnak.gateway.plan import Plan, make_plan
from karnak.gateway.pseudonyms import CsvPseudonyms, GeneratedPseudonym, TagPseudonym
from karnak.gateway.route import Sender
from karnak.runtime.deidentify import deidentify
from karnak.runtime.keys import Project
from karnak.runtime.outcome import Status

HEX = "0123456789abcdef0123456789abcdef"
PROFILE = """\
name: "Test"
version: "1"
profileElements:
  - { name: "all", codename: "basic.dicom.profile" }
"""
CONFIG = """\
data_dir: data
projects:
  - { name: TRIAL-1, profile: research.yml, secret_file: trial-1.hex }
forward_nodes:
  - ae_title: TRIAL1
    sources: [ { ae_title: CT01, host: 127.0.0.1, check_host: true }, { ae_title: MR01, host: 10.0.0.1 } ]
    destinations:
      - { name: archive, type: dicom, ae_title: ORTHANC, host: 127.0.0.1, port: 4242, project: TRIAL-1,
          mode: deidentify, pseudonym: { from: generated } }
      - { name: disk, type: folder, path: out, project: TRIAL-1, mode: deidentify,
          pseudonym: { from: csv, file: ids.csv } }
      - name: raw
        type: folder
        path: raw
        mode: none
        enabled: false
"""
Made = tuple[Plan | None, tuple[Diagnostic, ...]]
Make = Callable[..., Made]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    (tmp_path / "research.yml").write_text(PROFILE)
    (tmp_path / "ids.csv").write_text("patient_id,pseudonym\n1,P-1\n")
    (tmp_path / "trial-1.hex").write_text(HEX)
    (tmp_path / "trial-1.hex").chmod(0o600)

    def made(text: str = CONFIG, environment: dict[str, str] | None = None) -> Made:
        return make_plan(Source("gateway.yml", text), tmp_path, environment or {})

    return made


def test_the_example_becomes_a_plan(make: Make, tmp_path: Path) -> None:
    plan, diagnostics = make()
    assert diagnostics == ()
    assert plan is not None
    assert plan.data_dir == tmp_path / "data"
    (node,) = plan.nodes
    assert node.ae_title == "TRIAL1"
    # A host that is not to be checked is not.
    assert node.senders == (Sender("CT01", "127.0.0.1"), Sender("MR01", None))
    archive, disk = node.outlets
    assert str(archive.destination) == "ORTHANC at 127.0.0.1 port 4242"
    assert str(disk.destination) == f"folder {tmp_path / 'out'}"
    assert archive.treatment is not None
    assert disk.treatment is not None
    assert archive.treatment.mode == "deid"
    assert archive.treatment.project == Project("TRIAL-1", bytes.fromhex(HEX))
    assert archive.treatment.program is disk.treatment.program
    assert archive.treatment.pseudonyms == GeneratedPseudonym("")
    assert isinstance(disk.treatment.pseudonyms, CsvPseudonyms)
    refused = deidentify(
        b"", archive.treatment.program, archive.treatment.project, pseudonym="P", now=datetime(2026, 1, 1, tzinfo=UTC)
    )
    assert refused.status is Status.REJECTED


def test_the_engine_is_chosen(make: Make) -> None:
    for text, engine in ((CONFIG, "tables"), (f"engine: reference\n{CONFIG}", "reference")):
        plan, diagnostics = make(text)
        assert diagnostics == ()
        assert plan is not None
        assert plan.engine == engine


def test_a_secret_from_the_environment(make: Make) -> None:
    text = CONFIG.replace("secret_file: trial-1.hex", "secret_env: TRIAL_1")
    plan, diagnostics = make(text, {"TRIAL_1": HEX})
    assert diagnostics == ()
    assert plan is not None
    treatment = plan.nodes[0].outlets[0].treatment
    assert treatment is not None
    assert treatment.project.secret == bytes.fromhex(HEX)


def test_filters_and_tags(make: Make) -> None:
    text = CONFIG.replace(
        "type: dicom,",
        "type: dicom, condition: \"tagValueIsPresent(#Tag.Modality, 'CT')\", "
        "sop_classes: [ CTImageStorage, MR Image Storage, 1.2.840.10008.5.1.4.1.1.7, 1.3.6.1.4.1.9.9 ],",
    ).replace("{ from: generated }", "{ from: tag, tag: ClinicalTrialSubjectID, delimiter: '-', position: 1 }")
    plan, diagnostics = make(text)
    assert diagnostics == ()
    assert plan is not None
    outlet = plan.nodes[0].outlets[0]
    assert outlet.condition is not None
    assert outlet.sop_classes == {
        "1.2.840.10008.5.1.4.1.1.2",
        "1.2.840.10008.5.1.4.1.1.4",
        "1.2.840.10008.5.1.4.1.1.7",
        "1.3.6.1.4.1.9.9",
    }
    assert outlet.treatment is not None
    assert outlet.treatment.pseudonyms == TagPseudonym(0x00120040, "-", 1)


def test_the_profiles_default_issuer_reaches_the_pseudonyms(make: Make, tmp_path: Path) -> None:
    (tmp_path / "research.yml").write_text("defaultIssuerOfPatientID: HUG\n" + PROFILE)
    plan, _ = make()
    assert plan is not None
    archive, disk = (outlet.treatment for outlet in plan.nodes[0].outlets)
    assert archive is not None
    assert disk is not None
    assert archive.pseudonyms == GeneratedPseudonym("HUG")
    assert isinstance(disk.pseudonyms, CsvPseudonyms)
    assert disk.pseudonyms.default_issuer == "HUG"


def test_morphing_needs_a_project_and_no_pseudonym(make: Make) -> None:
    text = CONFIG.replace("mode: deidentify, pseudonym: { from: generated }", "mode: morph")
    plan, diagnostics = make(text)
    assert diagnostics == ()
    assert plan is not None
    treatment = plan.nodes[0].outlets[0].treatment
    assert treatment is not None
    assert (treatment.mode, treatment.pseudonyms) == ("morph", None)


# What is written instead of what, and where the finding is: at the first place of `at` after the change.
MISFITS = [
    ("name: disk", "name: archive", "G201", "archive, type: folder", "there is another destination archive"),
    ("project: TRIAL-1, mode", "project: TRAIL-1, mode", "G202", "TRAIL-1", "there is no project TRAIL-1"),
    (
        "project: TRIAL-1, mode",
        "mode",
        "G203",
        "{ name: disk",
        "a destination with `mode: deidentify` needs a `project`",
    ),
    (
        ", pseudonym: { from: generated }",
        "",
        "G204",
        "{ name: archive",
        "a destination with `mode: deidentify` needs a `pseudonym`",
    ),
    ("ids.csv", "id.csv", "G303", "id.csv", "id.csv can't be read: No such file or directory"),
    (
        "host: 127.0.0.1, check_host: true",
        "check_host: true",
        "G208",
        "true",
        "the host is to be checked, but there is no `host`",
    ),
    ("research.yml", "reserch.yml", "G304", "reserch.yml", "there is no profile reserch.yml"),
    (
        "secret_file: trial-1.hex",
        "secret_env: TRIAL_1",
        "G301",
        "TRIAL_1",
        "there is no environment variable TRIAL_1",
    ),
    (
        ", secret_file: trial-1.hex",
        "",
        "G102",
        "{ name: TRIAL-1",
        "a project needs one of `secret_file` and `secret_env`",
    ),
    (
        "secret_file: trial-1.hex",
        "secret_file: trial-1.hex, secret_env: X",
        "G102",
        "{ name: TRIAL-1",
        "a project needs one of `secret_file` and `secret_env`",
    ),
    (
        "type: dicom,",
        "type: dicom, sop_classes: [ CT Image Storages ],",
        "G207",
        "CT Image",
        "no SOP Class for storage is called CT Image Storages",
    ),
    ("from: generated", "from: tag, tag: PatientNam", "K203", "PatientNam", None),
    ("from: generated", "from: tag, tag: 0010XXXX", "K207", "0010XXXX", None),
    (
        "from: generated",
        "from: tag, tag: PatientName, position: 1",
        "G303",
        "{ from: tag",
        "a position needs a delimiter that splits the value",
    ),
    ("type: dicom,", 'type: dicom, condition: "tagIsPresnt(#Tag.Modality)",', "K305", "tagIsPresnt", None),
]


@pytest.mark.parametrize(("before", "after", "code", "at", "message"), MISFITS)
def test_what_does_not_fit_is_an_error_at_its_place(
    make: Make, before: str, after: str, code: str, at: str, message: str | None
) -> None:
    assert before in CONFIG
    text = CONFIG.replace(before, after, 1)
    plan, diagnostics = make(text)
    assert plan is None
    (diagnostic,) = diagnostics
    lines = text[: text.index(at)].split("\n")
    assert (diagnostic.code, diagnostic.span.line, diagnostic.span.column) == (code, len(lines), len(lines[-1]) + 1)
    assert message is None or diagnostic.message == message


@pytest.mark.parametrize(
    ("before", "after", "hint"),
    [
        ("project: TRIAL-1, mode", "project: TRAIL-1, mode", "did you mean TRIAL-1?"),
        ("type: dicom,", "type: dicom, sop_classes: [ CTImageStorages ],", "did you mean CT Image Storage?"),
        ("research.yml", "reserch.yml", "relative paths start at the configuration's folder"),
        (", pseudonym: { from: generated }", "", "such as pseudonym: { from: generated }"),
    ],
)
def test_hints_say_what_to_do(make: Make, before: str, after: str, hint: str) -> None:
    _, (diagnostic,) = make(CONFIG.replace(before, after, 1))
    assert diagnostic.hint == hint


def test_duplicates_show_the_first_one(make: Make) -> None:
    projects = "  - { name: TRIAL-1, profile: research.yml, secret_file: trial-1.hex }\n"
    _, diagnostics = make(CONFIG.replace(projects, projects * 2))
    (diagnostic,) = diagnostics
    assert (diagnostic.code, diagnostic.span.line) == ("G201", 4)
    assert [(label.span.line, label.text) for label in diagnostic.labels] == [(3, "the first one")]
    again = CONFIG[CONFIG.index("  - ae_title: TRIAL1") :]
    for name in ("archive", "disk", "raw"):
        again = again.replace(f"name: {name}", f"name: {name}-2")
    _, diagnostics = make(CONFIG + again)
    assert [(one.code, one.message) for one in diagnostics] == [("G201", "there is another forward node TRIAL1")]


def test_a_node_that_delivers_nothing_is_an_error(make: Make) -> None:
    text = CONFIG.replace("type: dicom,", "type: dicom, enabled: false,").replace(
        "type: folder, ", "type: folder, enabled: false, "
    )
    plan, diagnostics = make(text)
    assert plan is None
    assert [(one.code, one.message) for one in diagnostics] == [("G206", "no destination of TRIAL1 is enabled")]


NEEDLESS = """\
        project: TRIAL-1
        pseudonym: { from: generated }
"""


def test_settings_without_effect_are_warnings(make: Make) -> None:
    text = CONFIG.replace(
        "mode: none", "mode: none\n        project: TRIAL-1\n        pseudonym: { from: generated }"
    ).replace("mode: deidentify, pseudonym: { from: generated }", "mode: morph, pseudonym: { from: generated }")
    plan, diagnostics = make(text)
    assert plan is not None
    assert [(one.code, str(one.severity), one.span.line) for one in diagnostics] == [
        ("G205", "warning", 9),
        ("G205", "warning", 16),
        ("G205", "warning", 17),
    ]


def test_a_secret_that_everyone_can_read_is_a_warning(make: Make, tmp_path: Path) -> None:
    (tmp_path / "trial-1.hex").chmod(0o644)
    plan, diagnostics = make()
    assert plan is not None
    assert [(one.code, str(one.severity), one.hint) for one in diagnostics] == [
        ("G302", "warning", f"chmod 600 {tmp_path / 'trial-1.hex'}")
    ]


def test_what_is_in_a_secret_is_not_told(make: Make, tmp_path: Path) -> None:
    (tmp_path / "trial-1.hex").write_text(HEX + "0")
    plan, diagnostics = make()
    assert plan is None
    assert [one.code for one in diagnostics] == ["G301"]
    assert HEX not in str(diagnostics)


def test_a_bad_profile_shows_its_own_mistakes_once(make: Make, tmp_path: Path) -> None:
    (tmp_path / "research.yml").write_text(PROFILE.replace("basic.dicom.profile", "basic.dicom.profil"))
    second = "  - { name: TRIAL-2, profile: research.yml, secret_file: trial-1.hex }\nforward_nodes:"
    plan, diagnostics = make(CONFIG.replace("forward_nodes:", second))
    assert plan is None
    assert {one.code for one in diagnostics} == {"K104"}
    assert {Path(one.span.file).name for one in diagnostics} == {"research.yml"}
