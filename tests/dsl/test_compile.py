"""From YAML to the IR: what each type of element means, and what the compiler gives and refuses."""

from pathlib import Path

import pytest

from karnak.dsl.compile import ProfileError, check_profile, compile_condition, compile_profile
from karnak.dsl.diagnostics import Diagnostic, Severity
from karnak.dsl.nodes import Mapping, Scalar
from karnak.dsl.source import Source, read_yaml
from karnak.ir.expression import BOOL, NULL, STR, TAG, Call, Conditional, Escape, Literal, Type
from karnak.ir.profile import (
    DATE_VRS,
    Action,
    AddElement,
    AddPrivateElement,
    Apply,
    BasicProfile,
    CleanPixelData,
    CleanRecognizableVisualFeatures,
    DatePart,
    Effect,
    Evaluate,
    Mask,
    Profile,
    ReplaceFromService,
    Rule,
    Shift,
    ShiftByTag,
    ShiftRange,
    TruncateDate,
)
from karnak.ir.selector import EVERY_TAG, NOTHING, Selector, TagPattern
from karnak.ir.span import Span
from karnak.runtime.program import Program
from karnak.standard.confidentiality import Option
from tests.dsl.cases import source_of

BUILD = "K901"


def check(text: str) -> tuple[Profile | None, tuple[Diagnostic, ...]]:
    return check_profile(Source("p.yml", text))


def rule(element: str, masks: str = "") -> Rule:
    """Check a profile with one element in which nothing is wrong."""
    lines = "\n".join(f"    {line}" for line in element.strip().splitlines())
    text = f"name: x\nprofileElements:\n  - name: r\n{lines}\n{masks}"
    profile, found = check(text)
    assert [one for one in found if one.code != BUILD] == []
    assert profile is not None
    return profile.rules[0]


PATIENT_NAME = TagPattern(0x00100010)


@pytest.mark.parametrize(
    ("letter", "action"),
    [
        ("K", Action.KEEP),
        ("X", Action.REMOVE),
        ("Z", Action.EMPTY),
        ("U", Action.UID),
        ("D", Action.DUMMY),
        ("DDum", Action.DUMMY),
    ],
)
def test_specific_tags(letter: str, action: Action) -> None:
    found = rule(
        f"codename: action.on.specific.tags\naction: {letter}\ntags: [PatientName]\nexcludedTags: ['0010,XXXX']"
    )
    assert found.effect == Apply(action)
    assert found.selector == Selector((PATIENT_NAME,), (TagPattern(0x00100000, 0xFFFF0000),))
    assert (found.name, found.codename, found.guard) == ("r", "action.on.specific.tags", None)
    assert found.span == Span("p.yml", 3, 5, 7, 32)


def test_private_tags_without_tags_are_all_of_them() -> None:
    found = rule("codename: action.on.privatetags\naction: X\nexcludedTags: ['0009,XXXX']")
    assert found.effect == Apply(Action.REMOVE)
    assert found.selector == Selector((EVERY_TAG,), (TagPattern(0x00090000, 0xFFFF0000),), private_only=True)


@pytest.mark.parametrize(
    ("line", "action"),
    [("", Action.UID), ("action: U", Action.UID), ("action: X", Action.REMOVE), ("action: Z", Action.EMPTY)],
)
def test_replace_uid(line: str, action: Action) -> None:
    found = rule(f"codename: replace.uid\ntags: [StudyInstanceUID]\n{line}")
    assert found.effect == Apply(action)
    assert found.selector == Selector((TagPattern(0x0020000D),))


@pytest.mark.parametrize(
    ("option", "arguments", "effect"),
    [
        ("shift", "{seconds: 30, days: 10}", Shift(10, 30)),
        ("shift", '{seconds: "-86399", days: "-61"}', Shift(-61, -86399)),
        ("shift_range", "{max_seconds: 60, min_days: 50, max_days: 100}", ShiftRange(50, 100, 0, 60)),
        ("shift_range", "{max_seconds: 0, max_days: 100}", ShiftRange(0, 100, 0, 0)),
        ("shift_range", "{max_seconds: 9, min_seconds: -9, max_days: 2}", ShiftRange(0, 2, -9, 9)),
        ("shift_by_tag", '{days_tag: "(0015,0011)"}', ShiftByTag(0x00150011, None)),
        ("shift_by_tag", "{days_tag: InstanceNumber, seconds_tag: '0020,0011'}", ShiftByTag(0x00200013, 0x00200011)),
    ],
)
def test_dates(option: str, arguments: str, effect: Effect) -> None:
    found = rule(f"codename: action.on.dates\noption: {option}\narguments: {arguments}")
    assert found.effect == effect
    assert found.selector == Selector((EVERY_TAG,), vrs=DATE_VRS)


@pytest.mark.parametrize(("remove", "part"), [("day", DatePart.DAY), ("month_day", DatePart.MONTH_DAY)])
def test_dates_that_are_truncated_are_dates_with_days(remove: str, part: DatePart) -> None:
    found = rule(
        f"codename: action.on.dates\noption: date_format\narguments: {{remove: {remove}}}\ntags: ['0008,00XX']"
    )
    assert found.effect == TruncateDate(part)
    assert found.selector == Selector((TagPattern(0x00080000, 0xFFFFFF00),), vrs=frozenset({"DA", "DT"}))


def test_expressions() -> None:
    found = rule(
        "codename: expression.on.tags\ncondition: tagHasValue(#Tag.Modality)\n"
        'arguments: {expr: "getString(#Tag.Modality).isEmpty() ? Keep() : null"}\ntags: ["(xxxx,xxxx)"]'
    )
    assert isinstance(found.effect, Evaluate)
    assert isinstance(found.effect.expression, Conditional)
    assert isinstance(found.guard, Call)
    assert (found.guard.function, found.guard.type) == ("tagHasValue", BOOL)
    assert found.guard.arguments == (Literal(0x00080060, TAG, Span("p.yml", 5, 28, 5, 41)),)
    assert found.guard.span == Span("p.yml", 5, 16, 5, 42)
    assert found.selector == Selector((EVERY_TAG,))


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ("", set()),
        ("arguments: {options: []}", set()),
        ("arguments: {options: [retain_uids]}", {Option.RETAIN_UIDS}),
        ("arguments: {options: ' retain_uids ,clean_graphics'}", {Option.RETAIN_UIDS, Option.CLEAN_GRAPHICS}),
        ("arguments: {options: [retain_full_dates]}", {Option.RETAIN_FULL_DATES}),
    ],
)
def test_basic_profile(arguments: str, options: set[Option]) -> None:
    found = rule(f"codename: basic.dicom.profile\n{arguments}")
    assert found.effect == BasicProfile(frozenset(options))
    assert found.selector == Selector((EVERY_TAG,))


def test_every_option_of_the_standard_is_known() -> None:
    options = [option for option in Option if option is not Option.RETAIN_MODIFIED_DATES]
    found = rule(f"codename: basic.dicom.profile\narguments: {{options: [{', '.join(options)}]}}")
    assert found.effect == BasicProfile(frozenset(options))


@pytest.mark.parametrize(
    ("element", "effect"),
    [
        (
            "codename: action.add.tag\narguments: {value: 'YES', vr: CS}\ntags: ['(0028,0301)']",
            AddElement(0x00280301, "CS", "YES"),
        ),
        ("codename: action.add.tag\narguments: {value: 12}\ntags: [SeriesNumber]", AddElement(0x00200011, "IS", "12")),
        ("codename: action.add.tag\narguments: {value: ''}\ntags: [PatientComments]", AddElement(0x00104000, "LT", "")),
        (
            "codename: action.add.private.tag\narguments: {value: v, vr: LO, privateCreator: ' A '}\ntags: [00571000]",
            AddPrivateElement(0x00571000, "LO", "v", "A"),
        ),
        (
            "codename: action.add.private.tag\narguments: {value: 7, vr: US}\ntags: ['(0061,1102)']",
            AddPrivateElement(0x00611102, "US", "7", None),
        ),
    ],
)
def test_additions(element: str, effect: Effect) -> None:
    found = rule(element)
    assert found.effect == effect
    assert found.selector == NOTHING


def test_services() -> None:
    found = rule(
        "codename: action.replace.api\ntags: [PatientID]\narguments:\n"
        "  url: 'http://example.com/{{getString(#Tag.PatientID)}}/x'\n"
        "  method: post\n"
        "  body: '{\"id\": \"{{ ''a'' + ''}}'' }}\"}'\n"
        "  responsePath: a/0/v\n  authConfig: auth\n  defaultValue: ANON"
    )
    effect = found.effect
    assert isinstance(effect, ReplaceFromService)
    assert (effect.response_path, effect.method, effect.auth_config, effect.default_value) == (
        "/a/0/v",
        "POST",
        "auth",
        "ANON",
    )
    start, call, end = effect.url.parts
    assert (start, end, effect.url.escape) == ("http://example.com/", "/x", Escape.URL)
    assert isinstance(call, Call)
    assert effect.body is not None
    assert effect.body.escape is Escape.JSON
    assert effect.body.parts[0] == '{"id": "'
    assert isinstance(effect.body.parts[1], Literal)
    assert effect.body.parts[1].value == "a}}"
    assert effect.body.parts[1].type == STR
    assert effect.body.parts[2] == '"}'


@pytest.mark.parametrize(("written", "automatic"), [("'true'", True), ("true", True), ("'false'", False)])
def test_pixels(written: str, automatic: bool) -> None:
    masks = "masks: [{rectangles: ['1 2 3 4']}]\n"
    found = rule(f"codename: clean.pixel.data\narguments: {{automaticMasksGeneration: {written}}}", masks)
    assert found.effect == CleanPixelData(automatic)
    assert found.selector == NOTHING


def test_visual_features() -> None:
    assert rule("codename: clean.recognizable.visual.features").effect == CleanRecognizableVisualFeatures()


def test_masks() -> None:
    masks = """\
  - {stationName: "*", color: "ffff00", rectangles: ["25 75 150 50"]}
  - {stationName: "R2D2", color: "80ff00aa", rectangles: ["25 25 150 50", " 350  15 150 50 "]}
  - {stationName: "R2D2", imageWidth: 1024, imageHeight: "768", rectangles: ["50 25 100 100"]}
  - {imageWidth: 1, imageHeight: 2, rectangles: ["0 0 1 1"]}
"""
    profile, found = check(f"profileElements: [{{name: a, codename: clean.pixel.data}}]\nmasks:\n{masks}")
    assert [one.code for one in found] == [BUILD]
    assert profile is not None
    assert profile.masks == (
        Mask(None, None, ((25, 75, 150, 50),), (255, 255, 0)),
        Mask("R2D2", None, ((25, 25, 150, 50), (350, 15, 150, 50)), (255, 0, 170)),
        Mask("R2D2", (1024, 768), ((50, 25, 100, 100),)),
        Mask(None, (1, 2), ((0, 0, 1, 1),)),
    )


def test_the_head() -> None:
    profile, found = check(
        'name: Research\nversion: 1.10\nminimumKarnakVersion: 0.9.2\ndefaultIssuerOfPatientID: "DPA"\n'
        "profileElements: [{name: a, codename: basic.dicom.profile}]\n"
    )
    assert not found
    assert profile is not None
    head = (profile.name, profile.version, profile.minimum_karnak_version, profile.default_issuer)
    assert head == ("Research", "1.10", "0.9.2", "DPA")


@pytest.mark.parametrize("version", ["0.9.2", "1.0", "0.9.7", "2.0", "2.0.0", "2.0.0.0", ""])
def test_versions_of_the_language_that_are_known(version: str) -> None:
    _, found = check(
        f'minimumKarnakVersion: "{version}"\nprofileElements: [{{name: a, codename: basic.dicom.profile}}]\n'
    )
    assert not found


@pytest.mark.parametrize("version", ["2.0.1", "2.1", "3.0", "10.0"])
def test_versions_of_the_language_that_are_not(version: str) -> None:
    _, (found,) = check(
        f'minimumKarnakVersion: "{version}"\nprofileElements: [{{name: a, codename: basic.dicom.profile}}]\n'
    )
    assert found.code == "K108"


def test_values_that_say_nothing_are_as_if_absent() -> None:
    found = rule("codename: action.on.privatetags\naction: X\ncondition:\ntags:\nexcludedTags: ~\noption: null")
    assert found.guard is None
    assert found.selector == Selector((EVERY_TAG,), private_only=True)


def test_a_program_comes_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "p.yml"
    path.write_text("profileElements: [{name: a, codename: basic.dicom.profile}]\n")
    program = compile_profile(path, edition="2024e")
    assert isinstance(program, Program)
    assert program.edition == "2024e"
    assert program.profile.rules[0].span.file == str(path)


def test_layout_and_comments_do_not_change_the_meaning() -> None:
    one = compile_profile(Source("a", "profileElements: [{name: a, codename: basic.dicom.profile}]\n"))
    other = compile_profile(Source("b", "# x\nprofileElements:\n  - codename: 'basic.dicom.profile'\n    name: a\n"))
    assert one.digest == other.digest


def test_no_program_comes_of_a_profile_with_errors(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="K105") as error:
        compile_profile(source_of("profile", "profileElements:" + "\n- {name: a, codename: basic.dicom.profile}" * 2))
    assert [one.code for one in error.value.diagnostics] == ["K105"]
    with pytest.raises(ProfileError, match="K001"):
        compile_profile(tmp_path / "nothing.yml")


def test_what_this_build_cannot_run_is_checked_and_refused() -> None:
    source = Source("p", "profileElements: [{name: a, codename: clean.recognizable.visual.features}]\n")
    profile, (found,) = check_profile(source)
    assert profile is not None
    assert (found.code, found.severity) == (BUILD, Severity.ERROR)
    with pytest.raises(ProfileError) as error:
        compile_profile(source)
    assert error.value.diagnostics == (found,)


def test_warnings_refuse_nothing() -> None:
    text = "profileElements: [{name: a, codename: basic.dicom.profile, action: K}]\n"
    assert [one.code for one in check(text)[1]] == ["K106"]
    assert compile_profile(Source("p", text)).profile.rules[0].effect == BasicProfile()


def test_conditions_outside_of_profiles() -> None:
    condition, found = compile_condition("tagIsPresent(#Tag.Rows)", Span("gateway.yml", 4, 10, 4, 33))
    assert not found
    assert condition is not None
    assert condition.type == BOOL
    assert condition.span == Span("gateway.yml", 4, 10, 4, 33)
    nothing, (one,) = compile_condition("tagIsPresent(#Tag.Row)", Span("gateway.yml", 4, 10, 4, 32))
    assert nothing is None
    assert str(one.span) == "gateway.yml:4:28"
    # Where the text doesn't fill the place, the whole place is meant.
    _, (one,) = compile_condition("tagIsPresent(#Tag.Row)", Span("gateway.yml", 4, 10, 6, 1))
    assert one.span == Span("gateway.yml", 4, 10, 6, 1)


def test_conditions_that_are_yaml_know_their_places() -> None:
    root = read_yaml(Source("g.yml", "condition: 'tagValueIsPresent(#Tag.Modality, ''CT'') and x'\n")).root
    assert isinstance(root, Mapping)
    node = root.get("condition")
    assert isinstance(node, Scalar)
    _, (one,) = compile_condition(node)
    assert (one.code, str(one.span)) == ("K307", "g.yml:1:58")


def test_types_say_how_they_read() -> None:
    assert [str(kind) for kind in (BOOL, Type(STR.kind, True), NULL)] == ["Bool", "Str?", "Null"]
