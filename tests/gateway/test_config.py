"""A configuration is read with its places: a mistake has a line, a column, a sentence, and often a way out."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from karnak.dsl.nodes import Source
from karnak.gateway.config_destinations import DicomEntry, FolderEntry, TagEntry
from karnak.gateway.config_notes import CODES
from karnak.gateway.config_reading import read_config

GOOD = """\
listen: { host: 127.0.0.1, port: 11112 }
data_dir: ./data
projects:
  - { name: TRIAL-1, profile: profiles/research.yml, secret_file: secrets/trial-1.hex }
forward_nodes:
  - ae_title: TRIAL1
    sources: [ { ae_title: CT01, host: 127.0.0.1, check_host: true } ]
    destinations:
      - { name: archive, type: dicom, ae_title: ORTHANC, host: 127.0.0.1, port: 4242, project: TRIAL-1,
          mode: deidentify, pseudonym: { from: generated } }
      - { name: disk, type: folder, path: ./out, project: TRIAL-1, mode: deidentify,
          pseudonym: { from: csv, file: ids.csv } }
"""


@dataclass(frozen=True)
class Found:
    """What matters of a diagnostic."""

    code: str
    line: int
    column: int
    message: str
    hint: str = ""


def found(text: str) -> list[Found]:
    return [
        Found(d.code, d.span.line, d.span.column, d.message, d.hint)
        for d in read_config(Source("gateway.yml", text)).diagnostics
    ]


def test_the_example_is_read() -> None:
    reading = read_config(Source("gateway.yml", GOOD))
    assert reading.diagnostics == ()
    config = reading.config
    assert config is not None
    assert (config.listen.host, config.listen.port, config.data_dir) == ("127.0.0.1", 11112, Path("data"))
    assert config.projects[0].secret_file == Path("secrets/trial-1.hex")
    node = config.forward_nodes[0]
    assert node.sources is not None
    assert (node.sources[0].ae_title, node.sources[0].check_host) == ("CT01", True)
    archive, disk = node.destinations
    assert isinstance(archive, DicomEntry)
    assert (archive.port, archive.connect_timeout, archive.response_timeout, archive.maximum_associations) == (
        4242,
        10,
        60,
        1,
    )
    assert isinstance(disk, FolderEntry)
    assert disk.enabled


def test_defaults_are_those_of_the_manual() -> None:
    config = read_config(Source("g", MINIMAL)).config
    assert config is not None
    listen = config.listen
    assert (listen.host, listen.port, listen.maximum_associations) == ("127.0.0.1", 11112, 50)
    assert (listen.maximum_pdu, listen.idle_timeout, listen.drain_timeout) == (1048576, 60, 30)
    assert config.forward_nodes[0].sources is None
    assert config.engine == "tables"


MINIMAL = """\
data_dir: data
forward_nodes:
  - ae_title: A
    sources: any
    destinations:
      - { name: d, type: folder, path: out, mode: none }
"""


KINDS = "dicom, stow, folder or virtual"
LISTEN = "data_dir: data\nlisten: "


def test_texts_stay_texts() -> None:
    text = MINIMAL.replace("ae_title: A", "ae_title: 0012").replace(
        "mode: none", "mode: deidentify, project: 1.10, pseudonym: { from: tag, tag: 00120040, delimiter: '|' }"
    )
    config = read_config(Source("g", text)).config
    assert config is not None
    node = config.forward_nodes[0]
    entry = node.destinations[0]
    assert node.ae_title == "0012"
    assert entry.project == "1.10"
    assert isinstance(entry.pseudonym, TagEntry)
    assert (entry.pseudonym.tag, entry.pseudonym.delimiter, entry.pseudonym.position) == ("00120040", "|", 0)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("data_dir: data\n", "", Found("G102", 1, 1, "`data_dir` is missing here")),
        ("data_dir: data", "data_dir:", Found("G102", 1, 10, "`data_dir` has no value")),
        (
            "data_dir: data",
            "engine: referenc\ndata_dir: data",
            Found("G104", 1, 9, "`engine` is tables or reference", "did you mean reference?"),
        ),
        ("data_dir", "datadir", Found("G101", 1, 1, "there is no setting `datadir` here", "did you mean data_dir?")),
        (
            "ae_title: A",
            "ae_titel: A",
            Found("G101", 3, 5, "there is no setting `ae_titel` here", "did you mean ae_title?"),
        ),
        ("path: out", "pat: out", Found("G101", 6, 34, "there is no setting `pat` here", "did you mean path?")),
        (
            "type: folder",
            "type: foldr",
            Found("G104", 6, 26, "`type` is dicom, stow, folder or virtual", "did you mean folder?"),
        ),
        ("type: folder, ", "", Found("G102", 6, 9, "`type` is missing here", f"type is {KINDS}")),
        ("mode: none", "mode: deid", Found("G104", 6, 51, "`mode` is deidentify, morph or none")),
        ("mode: none", "mode: non", Found("G104", 6, 51, "`mode` is deidentify, morph or none", "did you mean none?")),
        (", mode: none", "", Found("G102", 6, 9, "`mode` is missing here")),
        ("ae_title: A", "ae_title: ABCDEFGHIJKLMNOPQ", Found("G103", 3, 15, "an AE title has at most 16 characters")),
        (
            "ae_title: A",
            "ae_title: A\\B",
            Found("G103", 3, 15, "an AE title is made of ASCII letters, digits and signs, without backslash"),
        ),
        (
            "ae_title: A",
            "ae_title: '   '",
            Found("G103", 3, 15, "an AE title has at least one character that is no space"),
        ),
        (
            "sources: any",
            "sources: all",
            Found("G103", 4, 14, "a list is needed here", "write `any` to take instances from everyone"),
        ),
        ("    sources: any\n", "", Found("G102", 3, 5, "`sources` is missing here")),
        ("sources: any", "sources: []", Found("G103", 4, 14, "`sources` is an empty list", "write at least one")),
        ("sources: any", "sources: [ CT01 ]", Found("G103", 4, 16, "a mapping is needed here")),
        (
            "sources: any",
            "sources: [ { ae_title: B, check_host: maybe } ]",
            Found("G103", 4, 43, "true or false is needed here"),
        ),
        (
            "name: d",
            "name: ' '",
            Found("G103", 6, 17, "a name has printable characters, and at least one that is no space"),
        ),
        (
            "mode: none",
            "mode: none, pseudonym: { from: tag, tga: '00120040' }",
            Found("G101", 6, 81, "there is no setting `tga` here", "did you mean tag?"),
        ),
        (
            "mode: none",
            "mode: none, pseudonym: { from: csvv }",
            Found("G104", 6, 76, "`from` is generated, tag or csv", "did you mean csv?"),
        ),
        (
            "mode: none",
            "mode: none, pseudonym: { file: ids.csv }",
            Found("G102", 6, 68, "`from` is missing here", "from is generated, tag or csv"),
        ),
        (
            "mode: none",
            "mode: none, pseudonym: { from: csv, file: ids.csv, delimiter: ';;' }",
            Found("G103", 6, 107, "the text can have 1 characters at most"),
        ),
        (
            "data_dir: data",
            "data_dir: data\nlisten: { port: http }",
            Found("G103", 2, 17, "a whole number is needed here"),
        ),
        (
            "data_dir: data",
            "data_dir: data\nlisten: { port: 65536 }",
            Found("G103", 2, 17, "the value must be 65535 or less"),
        ),
        (
            "data_dir: data",
            "data_dir: data\nlisten: { maximum_associations: 0 }",
            Found("G103", 2, 33, "the value must be 1 or more"),
        ),
        (
            "data_dir: data",
            "data_dir: data\nlisten: { idle_timeout: 0 }",
            Found("G103", 2, 25, "the value must be more than 0"),
        ),
        (
            "data_dir: data",
            "data_dir: data\nlisten: { idle_timeout: .inf }",
            Found("G103", 2, 25, "a number is needed here"),
        ),
        ("data_dir: data", "data_dir: [ data ]", Found("G103", 1, 11, "a path is needed here")),
        ("data_dir: data", "data_dir: data\nprojects: none", Found("G103", 2, 11, "a list is needed here")),
    ],
)
def test_a_mistake_is_shown_where_it_is(before: str, after: str, expected: Found) -> None:
    assert before in MINIMAL
    assert found(MINIMAL.replace(before, after, 1)) == [expected]


def test_all_mistakes_are_shown() -> None:
    text = """\
listen: { prot: 104 }
forward_nodes:
  - ae_title: TOO-LONG-FOR-AN-AE
    sources: any
    destinations:
      - { name: a, type: dicom, host: h, port: 0, mode: none }
      - { name: b, type: folder, mode: no }
"""
    assert [(one.code, one.line) for one in sorted(found(text), key=lambda one: (one.line, one.column))] == [
        ("G102", 1),
        ("G101", 1),
        ("G103", 3),
        ("G102", 6),
        ("G103", 6),
        ("G102", 7),
        ("G104", 7),
    ]


@pytest.mark.parametrize(
    ("text", "code"), [("", "K006"), ("a: b: c\n", "K007"), ("a: 1\na: 2\n", "K010"), ("a: !x y", "K014")]
)
def test_yaml_mistakes_are_those_of_the_reader(text: str, code: str) -> None:
    reading = read_config(Source("gateway.yml", text))
    assert reading.config is None
    assert [diagnostic.code for diagnostic in reading.diagnostics] == [code]


@pytest.mark.parametrize("text", ["[]", "x", "- a\n- b\n"])
def test_something_else_than_a_mapping(text: str) -> None:
    assert [(one.code, one.message) for one in found(text)] == [("G103", "a mapping is needed here")]


def test_codes_have_names_of_their_own() -> None:
    names = [name for name, _ in CODES.values()]
    assert len(set(names)) == len(names)
