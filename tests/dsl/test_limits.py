"""Nonsense of any size ends in a finding; the work grows as the text does, and no stack does.

Work is counted in calls of functions, which is the same on every machine.
"""

import sys
from collections.abc import Callable
from types import FrameType

import pytest

from karnak.dsl.compile import check_profile
from karnak.dsl.findings import MAX_FINDINGS
from karnak.dsl.lint import lint
from karnak.dsl.source import Source

MILLION = 10**6
HEAD = "name: x\nversion: '1'\nprofileElements:\n"


def element(key: str, value: str) -> str:
    return f"{HEAD}  - name: a\n    codename: action.on.specific.tags\n    action: K\n    {key}: {value}\n"


def expression(text: str) -> str:
    return f'{HEAD}  - name: a\n    codename: expression.on.tags\n    tags: [Rows]\n    arguments: {{expr: "{text}"}}\n'


def bomb(width: int, depth: int) -> str:
    lines = [f"a0: &a0 [{','.join('x' * width)}]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * width)}]" for i in range(1, depth)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("[" * 10_000, {"K005"}),
        ("[" * MILLION, {"K005"}),
        ("{a: " * 200_000, {"K005"}),
        ("- " * 500_000, {"K005"}),
        (bomb(9, 9), {"K013"}),
        (bomb(100, 60), {"K013"}),
        ("a: 1\n" * 200_000, {"K010", "K016"}),
        ("".join(f"k{i}: 1\n" for i in range(60_000)), {"K013"}),
        ("x" * MILLION, {"K103"}),
        ('"' + "x" * MILLION, {"K009"}),
        ("#" * MILLION, {"K006"}),
        ("\t" * MILLION, {"K008"}),
        ("\n" * MILLION, {"K006"}),
        ("\0" * MILLION, {"K003"}),
        ("x" * (MILLION + 100_000), {"K004"}),
        ("%" * MILLION, {"K007"}),
        ("&a " * 300_000, {"K007"}),
        ("*a " * 300_000, {"K012"}),
        ("!" * MILLION, {"K014", "K103"}),
        (element("condition", "x" * MILLION), {"K304"}),
        (element("tags", f"['{'0' * MILLION}']"), {"K201"}),
        (element("tags", f"['{'/' * 900}']"), {"K206"}),
        (element("tags", f"[{','.join(['Rowz'] * 40_000)}]"), {"K203", "K016"}),
        (expression("(" * 10_000 + "1" + ")" * 10_000), {"K304"}),
        (expression("(" * 2000 + "1" + ")" * 2000), {"K304"}),
        (expression("!" * 4000 + "true"), {"K304"}),
        (expression("-" * 4000 + "1"), {"K304"}),
        (expression("'a'" + "+'a'" * 1000), {"K304"}),
        (expression("true?" * 600 + "Keep()" + ":null" * 600), {"K304"}),
        (expression("''" + ".trim()" * 500), {"K304"}),
        (expression("'" * 4001), {"K303"}),
        (expression("a " * 2000), {"K301"}),
        (expression("f(" * 1000), {"K304"}),
        ("profileElements:\n" + "  - {}\n" * 45_000, {"K102", "K016"}),
        ("profileElements:\n" + "  - a\n" * 45_000, {"K103", "K016"}),
    ],
    ids=range(35),
)
def test_nonsense_ends_in_findings(text: str, codes: set[str]) -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    try:
        profile, found = check_profile(Source("x", text))
    finally:
        sys.setrecursionlimit(limit)
    assert profile is None
    assert {one.code for one in found} == codes
    assert len(found) <= MAX_FINDINGS + 1


def calls_of(work: Callable[[], object]) -> int:
    """Count calls of functions, those written in C as well."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def checked(text: str) -> Callable[[], object]:
    def work() -> None:
        source = Source("x", text)
        profile, _ = check_profile(source)
        if profile is not None:
            lint(profile, source)

    return work


def conditions(count: int) -> str:
    lines = [
        f"  - {{name: a, codename: action.on.privatetags, action: K, condition: 'count(#Tag.Rows) > {i}'}}\n"
        for i in range(count)
    ]
    return HEAD + "".join(lines)


@pytest.mark.parametrize(
    "text_of_size",
    [
        lambda n: element("tags", "[" + ",".join(f"'{i:04X}1000'" for i in range(0x11, 0x11 + 2 * n, 2)) + "]"),
        lambda n: element("tags", "[" + ",".join(f"'{i:05X}XXX'" for i in range(n)) + "]"),
        lambda n: element("tags", "[" + ",".join(["PatientNam"] * n) + "]"),
        lambda n: element("tags", "[" + ",".join(f"Foo{i}" for i in range(n)) + "]"),
        lambda n: element("condition", "tagIsPresent(#Tag.Rows)" + " or tagIsPresent(#Tag.Rows)" * (n // 4)),
        lambda n: element("condition", '"' + "\\x41" * 10 * n + '"'),
        lambda n: element("condition", "'" + " " * 10 * n + "'"),
        lambda n: element("condition", "'" + "a\n\n " * n + "'"),
        lambda n: expression("Replace('a')" + " " * 5 * n),
        lambda n: f"{HEAD}  - name: a\n    codename: {'x' * 40 * n}\n",
        lambda n: "".join(f"k{i}: {i}\n" for i in range(n)),
        conditions,
    ],
    ids=range(12),
)
def test_work_grows_as_the_text_does(text_of_size: Callable[[int], str]) -> None:
    checked(text_of_size(200))()  # what is loaded once
    small, large = calls_of(checked(text_of_size(100))), calls_of(checked(text_of_size(200)))
    assert large <= 2.3 * small + 2000


def test_templates_are_read_in_one_pass() -> None:
    def text(n: int) -> str:
        arguments = f'{{responsePath: /a, url: "http://a/{"{{" * n}"}}'
        return f"{HEAD}  - {{name: a, codename: action.replace.api, tags: [Rows], arguments: {arguments}}}\n"

    checked(text(10))()
    assert calls_of(checked(text(2000))) <= 2.3 * calls_of(checked(text(1000))) + 2000
