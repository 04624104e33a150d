"""The examples of the Karnak documentation are accepted, or refused for a reason that is named here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from karnak.dsl.compile import check_profile
from karnak.dsl.diagnostics import Severity
from karnak.dsl.findings import Findings
from karnak.dsl.nodes import Line, Source
from karnak.dsl.templates import read_template
from karnak.ir.expression import Escape, Template

DOCUMENTATION = Path(__file__).parent.parent / "data" / "karnak" / "documentation.yml"
EXAMPLES: dict[str, Mapping[str, Any]] = {
    example["name"]: example for example in yaml.safe_load(DOCUMENTATION.read_text(encoding="utf-8"))
}
# What the examples use and this build can't run.
NOT_YET = {"api_02", "api_03", "masks_02", "masks_03", "automatic-pixel-deidentification_01"}
# Examples with a mistake, and what is said of it: code and what it is about.
REFUSED = {
    # The option is called date_format; the documentation wrote it the other way round.
    "dates_05": [("K404", "format_date is no way to change dates")],
    # The masks that this element needs stand in another example.
    "masks_01": [("K501", "there are no masks to clean the pixels with")],
    # A file of the gateway's settings, no profile.
    "automatic-pixel-deidentification_02": [("K102", "profileElements is missing"), ("K101", "unknown key karnak")],
}
WARNED = {"expressions_03": ["K321", "K321"], "masks_03": []}


def profile_of(example: Mapping[str, Any]) -> Mapping[str, Any]:
    """Put a part of a profile into a whole one."""
    data = example["data"]
    if example["kind"] == "elements":
        return {"name": "x", "profileElements": data}
    if example["kind"] == "masks":
        return {"name": "x", "profileElements": [{"name": "p", "codename": "clean.pixel.data"}], **data}
    return dict(data)


def test_all_of_them_are_here() -> None:
    assert len(EXAMPLES) == 26
    assert {example["kind"] for example in EXAMPLES.values()} == {"profile", "elements", "masks", "texts", "settings"}


@pytest.mark.parametrize("name", [name for name, example in EXAMPLES.items() if example["kind"] != "texts"])
def test_example(name: str) -> None:
    text = yaml.safe_dump(profile_of(EXAMPLES[name]), sort_keys=False)
    profile, found = check_profile(Source(name, text))
    errors = [one for one in found if one.severity is Severity.ERROR and one.code != "K901"]
    if name in REFUSED:
        assert profile is None
        assert sorted((one.code, one.message) for one in errors) == sorted(REFUSED[name])
        return
    assert profile is not None
    assert not errors
    assert any(one.code == "K901" for one in found) is (name in NOT_YET)
    warnings = [one.code for one in found if one.severity is Severity.WARNING]
    assert warnings == WARNED.get(name, [])


def test_texts_of_services() -> None:
    """The block of URLs and a body is no YAML; each of its texts is a template."""
    *urls, body = EXAMPLES["api_01"]["data"]
    for text, escape in [*((url, Escape.URL) for url in urls), (body, Escape.JSON)]:
        findings = Findings()
        template = read_template(Line(text, Source("t", text).span(0, len(text))), escape, findings)
        assert isinstance(template, Template)
        assert not findings.all
    _, found = check_profile(Source("api_01", "\n".join([*urls, body])))
    assert [one.code for one in found] == ["K007"]
