"""YAML with positions: what is read, how scalars stay text, and where each character stands."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from karnak.dsl import source as reading
from karnak.dsl.nodes import Mapping, Node, Part, Scalar, Sequence, Source, data_of, find
from karnak.dsl.source import MAX_CHARACTERS, decode, open_source, read_yaml


def root_of(text: str) -> Node:
    document = read_yaml(Source("x.yml", text))
    assert not document.diagnostics
    assert document.root is not None
    return document.root


def value_of(text: str) -> Scalar:
    """The scalar of the only key."""
    root = root_of(text)
    assert isinstance(root, Mapping)
    ((_, value),) = root.entries
    assert isinstance(value, Scalar)
    return value


def test_a_tree_knows_its_places() -> None:
    root = root_of('name: "x"\nlist:\n  - a\n  - {b: c}\nlast: [1, 2]\n')
    assert isinstance(root, Mapping)
    assert (root.span.line, root.span.column, root.span.end_line, root.span.end_column) == (1, 1, 5, 13)
    name = find(root, ("name",))
    assert (name.span.column, name.span.end_column) == (7, 10)
    assert isinstance(name, Scalar)
    assert (name.inner.column, name.inner.end_column) == (8, 9)
    items = find(root, ("list",))
    assert isinstance(items, Sequence)
    assert (items.span.line, items.span.end_line, items.span.end_column) == (3, 4, 11)
    inner = find(root, ("list", 1, "b"))
    assert str(inner.span) == "x.yml:4:9"
    # As far as the path leads.
    assert find(root, ("list", 7, "b")) is items
    key = root.key("last")
    assert key is not None
    assert str(key.span) == "x.yml:5:1"
    assert list(root) == ["name", "list", "last"]
    assert root.get("nothing") is root.key("nothing") is None


@pytest.mark.parametrize(
    "text", ["0010,0010", "00100010", "NO", "on", "1.10", "0o17", "0x1F", "12:30:45", "2024-01-01", "~x"]
)
def test_plain_scalars_stay_text(text: str) -> None:
    assert value_of(f"a: {text}\n").text == text


def test_lists_of_tags_are_cut_at_commas_only() -> None:
    tags = find(root_of("tags: [00100010, 0010,0010, '0010,0010']"), ("tags",))
    assert isinstance(tags, Sequence)
    assert [item.text for item in tags.items if isinstance(item, Scalar)] == ["00100010", "0010", "0010", "0010,0010"]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a: 12", 12),
        ("a: -12", -12),
        ("a: '12'", "12"),
        ("a: 1.5", 1.5),
        ("a: true", True),
        ("a: False", False),
        ("a: yes", "yes"),
        ("a: no", "no"),
        ("a:", None),
        ("a: null", None),
        ("a: ~", None),
        ("a: ''", ""),
        ("a: 0010", 10),
        ("a: 99999999999999999999", 1e20),
        ("a: [1, x, {b: 2}]", [1, "x", {"b": 2}]),
        ("a: !!str 12", "12"),
    ],
)
def test_data_has_the_types_of_the_core_schema(text: str, data: object) -> None:
    assert data_of(root_of(text)) == {"a": data}


@pytest.mark.parametrize(
    ("text", "integer"),
    [("12", 12), ("'-86399'", -86399), ("+3", 3), ("1.5", None), ("abc", None), ("1_000", None), ("٣", None)],
)
def test_integers_are_read_where_they_are_wanted(text: str, integer: int | None) -> None:
    assert value_of(f"a: {text}\n").integer == integer


def test_merge_keys_take_over_what_is_not_written() -> None:
    root = root_of("base: &b {x: 1, y: 2}\nother: &o {z: 3}\nnew: {<<: [*b, *o], y: 5}\n")
    assert data_of(find(root, ("new",))) == {"x": 1, "y": 5, "z": 3}


def test_aliases_repeat() -> None:
    assert data_of(root_of("a: &x [1]\nb: [*x, *x]\n")) == {"a": [1], "b": [[1], [1]]}


def test_a_byte_order_mark_is_dropped() -> None:
    source, found = decode("x", b"\xef\xbb\xbfa: 1\n")
    assert (source.text, found) == ("a: 1\n", ())


@pytest.mark.parametrize("breaks", ["\n", "\r\n", "\r"])
def test_all_line_breaks_count(breaks: str) -> None:
    source = Source("x", f"a: 1{breaks}b: 2{breaks}")
    root = read_yaml(source).root
    assert root is not None
    assert str(find(root, ("b",)).span) == "x:2:4"
    assert [source.line(1), source.line(2), source.line(3)] == ["a: 1", "b: 2", ""]


@pytest.mark.parametrize(
    ("data", "code", "at"),
    [
        (b"a: \xff\n", "K002", "1:4"),
        ("ä: ".encode() + b"\xe4\n", "K002", "1:4"),
        ("a: 1\n".encode("utf-16"), "K002", "1:1"),
    ],
)
def test_bytes_that_are_not_utf8(data: bytes, code: str, at: str) -> None:
    _, found = decode("x", data)
    assert [(one.code, f"{one.span.line}:{one.span.column}") for one in found] == [(code, at)]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.yml", tmp_path):
        source, (found,) = open_source(path)
        assert found.code == "K001"
        assert source.text == ""
        assert found.span.file == str(path)


def test_a_text_that_is_too_long() -> None:
    (found,) = read_yaml(Source("x", "#" * (MAX_CHARACTERS + 1))).diagnostics
    assert found.code == "K004"


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "huge.yml"
    with path.open("wb") as file:
        file.truncate(1 << 34)
    source, found = open_source(path)
    assert len(source.text) == 4 * MAX_CHARACTERS + 1
    assert not found
    assert [one.code for one in read_yaml(source).diagnostics] == ["K004"]


def test_without_the_c_library_the_same_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [
        "a: 'x\n",
        "a:\n\t- b\n",
        "a: b: c\n",
        "a: [1, 2\nb: 3\n",
        "a: {b: 1\n",
        "- a\nb: 1\n",
        "a: @x\n",
        'a: "\\d"\n',
        "a: 1\n  b: 2\n",
        "a: {b: [c, 'd', \"e\"]}\n",
        "a: ]\n",
        "a: *x\n",
    ]
    with_c = [[one.code for one in read_yaml(Source("x", text)).diagnostics] for text in texts]
    monkeypatch.setattr(reading, "_LOADER", yaml.SafeLoader)
    assert [[one.code for one in read_yaml(Source("x", text)).diagnostics] for text in texts] == with_c


# Where each character stands.


@pytest.mark.parametrize(
    ("text", "start", "end", "place"),
    [
        ("a: hello world\n", 6, 11, (1, 10, 1, 15)),
        ("a: 'it''s here'\n", 5, 9, (1, 11, 1, 15)),
        ('a: "x\\ty\\u00e4z"\n', 4, 5, (1, 15, 1, 16)),
        ('a: "x\\ty"\n', 1, 2, (1, 6, 1, 8)),
        ("a: one\n  two\n   three\n", 8, 13, (3, 4, 3, 9)),
        ("a: 'one\n\n  two'\n", 4, 7, (3, 3, 3, 6)),
        ('a: "one \\\n   two"\n', 4, 7, (2, 4, 2, 7)),
        ("a: |\n  one\n  two\n", 4, 7, (3, 3, 3, 6)),
        ("a: |-\n  one\n    two\n", 6, 9, (3, 5, 3, 8)),
        ("a: >\n  one\n  two\n\n  three\n", 8, 13, (5, 3, 5, 8)),
        ("a: >-\n  one\n    two\n  three\n", 10, 15, (4, 3, 4, 8)),
        ("a: |2\n    one\n  two\n", 6, 9, (3, 3, 3, 6)),
        ("a: &x !!str 'text'\n", 0, 4, (1, 14, 1, 18)),
        ("a: ''\n", 0, 0, (1, 5, 1, 5)),
    ],
)
def test_characters_of_scalars_have_places(text: str, start: int, end: int, place: tuple[int, int, int, int]) -> None:
    span = value_of(text).at(start, end)
    assert (span.line, span.column, span.end_line, span.end_column) == place


TEXTS = st.text(st.sampled_from("ab '\"\\:#-é中\n\t{}[],&*!|>%?"), min_size=1, max_size=30)


@given(TEXTS, st.sampled_from([None, "'", '"', "|", ">"]), st.integers(20, 80))
def test_what_yaml_writes_is_located_character_by_character(text: str, style: str | None, width: int) -> None:
    written = yaml.dump({"key": text}, default_style=style, width=width, allow_unicode=True)
    root = read_yaml(Source("x", written)).root
    assert isinstance(root, Mapping)
    ((_, value),) = root.entries
    assert isinstance(value, Scalar)
    lines = written.splitlines()
    for position, character in enumerate(value.text):
        span = value.at(position, position + 1)
        assert (span.line, span.column) != (value.span.line, value.span.column) or position == 0
        if character.isalnum():
            found = lines[span.line - 1][span.column - 1]
            # Written as itself, or as an escape.
            assert found in (character, "\\")


def test_parts_of_a_text_are_texts_with_places() -> None:
    part = Part(value_of("a: 'x {{ tag }}'\n"), 4, 9)
    assert part.text == " tag "
    assert str(part.inner) == "x.yml:1:9"
    assert str(part.at(1, 4)) == "x.yml:1:10"


@given(st.text(max_size=200))
def test_reading_never_fails(text: str) -> None:
    document = read_yaml(Source("x", text))
    assert (document.root is None) <= bool(document.diagnostics)
    for one in document.diagnostics:
        assert one.span.line >= 1
        assert one.span.column >= 1


@given(st.binary(max_size=200))
def test_bytes_never_fail(data: bytes) -> None:
    source, found = decode("x", data)
    assert found or read_yaml(source) is not None
