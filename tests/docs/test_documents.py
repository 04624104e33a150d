"""README.md holds: its session is typed again, its profile compiles, its program runs, its picture is real.

Where the gateway listens and where the project lies differ from machine to machine; both are put in before answers are
compared. Times and receipts of the journal are not compared.
Pages with tests of their own (language, deid, gateway, show) are only asked whether their links lead anywhere.
"""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from karnak.gateway.defaults import default_source
from tests.system.programs import environment, free_port, search_path, server, tool

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([ROOT / "README.md", ROOT / "NOTICE", *(ROOT / "docs").rglob("*.md")])

# What README.md was written with, and what stands for it on another machine.
HOME = "/home/me/karnak"
PORT = "11112"
API = "8081"
ORTHANC_PORT, ORTHANC_HTTP = "4242", "8042"
# The secret of the built-in configuration, which makes one up if there is none.
SECRET = bytes.fromhex("00112233445566778899aabbccddeeff")
GATEWAY = "scripts/run"
ORTHANC = "Orthanc "
# A test must not look for processes by their name: others of that name belong to other tests.
KILL = 'kill -9 $(pgrep -of "karnak serve")'
UNEQUAL = {"time", "receipt", "milliseconds"}


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code: what it is, its text, and the paragraph above it."""

    kind: str
    text: str
    above: str


def blocks(page: str) -> list[Block]:
    """The blocks of a page in their order."""
    found: list[Block] = []
    above: list[str] = []
    inside: list[str] | None = None
    kind = ""
    for line in page.splitlines(keepends=True):
        if inside is None and line.startswith("```"):
            kind, inside = line[3:].strip(), []
        elif inside is None:
            above.append(line)
        elif line.startswith("```"):
            found.append(Block(kind=kind, text="".join(inside), above="".join(above)))
            above, inside = [], None
        else:
            inside.append(line)
    return found


def exchanges(text: str) -> Iterator[tuple[str, str]]:
    """The commands of a session, continued lines included, each with its answer."""
    lines = text.splitlines(keepends=True)
    while lines:
        command = lines.pop(0).removeprefix("$ ")
        while command.endswith("\\\n"):
            command += lines.pop(0)
        answer = ""
        while lines and not lines[0].startswith("$ "):
            answer += lines.pop(0)
        yield command.removesuffix("\n"), answer


class Reader:
    """Somebody who follows README.md in a folder of their own."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.folder = folder
        self.port, self.api = free_port(), free_port()
        self.ports = {PORT: self.port, API: self.api, ORTHANC_PORT: free_port(), ORTHANC_HTTP: free_port()}
        self._gateway: subprocess.Popen[bytes] | None = None
        self.log = folder / "log"
        self._running = running
        self._exit_code = 0
        shutil.copytree(ROOT / "tests" / "data" / "instances", folder / "tests" / "data" / "instances")
        (folder / "bin").mkdir()
        (folder / "bin" / "karnak").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m karnak "$@"\n')
        (folder / "bin" / "karnak").chmod(0o755)
        (folder / "tour").mkdir()

    def here(self, text: str) -> str:
        """What the page says, as it must be on this machine."""
        text = text.replace(HOME, str(self.folder))
        for written, port in self.ports.items():
            text = text.replace(written, str(port))
        # The gateway counts what it has noticed by itself, too.
        return re.sub(r"epoch \d+", "epoch N", text)

    def answer(self, command: str) -> str:
        """Type a command; its answer, as a person at a terminal sees it."""
        if command.startswith(GATEWAY):
            return self._start_gateway(command.removeprefix(GATEWAY).split())
        if command.startswith(ORTHANC):
            program = [tool("Orthanc"), *command.split()[1:]]
            port = self.ports[ORTHANC_HTTP]
            self._running.enter_context(server(program, port, self.folder / "orthanc.log", cwd=self.folder))
            return ""
        if command == KILL:
            assert self._gateway is not None
            self._gateway.kill()
            self._gateway.wait()
            return ""
        settings = environment()
        settings["PATH"] = f"{search_path()}:{self.folder / 'bin'}"
        text = f"(exit {self._exit_code})\n{self.here(command)}"
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=self.folder,
            env=settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._exit_code = done.returncode
        return self.here(done.stdout)

    def _start_gateway(self, arguments: list[str]) -> str:
        """Do what `scripts/run` does, on another port; give the greeting. One that runs is ended."""
        if self._gateway is not None and self._gateway.poll() is None:
            self._gateway.terminate()
            self._gateway.wait(30)
        if not arguments:
            source = default_source(self.folder, lambda _: SECRET)
            (self.folder / "gateway.yml").write_text(self.here(source.text) + f"api: {{ port: {self.api} }}\n")
            arguments = ["--config", "gateway.yml"]
        command = [str(self.folder / "bin" / "karnak"), "serve", *arguments]
        started = server(command, self.port, self.log, cwd=self.folder, env=environment())
        self._gateway = self._running.enter_context(started)
        for _ in range(600):
            if "storescu" in self.log.read_text():
                break
            time.sleep(0.05)
        lines = self.log.read_text().splitlines(keepends=True)
        return "".join(line for line in lines if not line.startswith("{"))


def python(text: str, folder: Path) -> str:
    """What a program of the page prints."""
    command = [sys.executable, "-W", "error", "-c", text]
    return subprocess.run(command, cwd=folder, env=environment(), check=True, capture_output=True, text=True).stdout


def test_the_tour_is_true(tmp_path: Path) -> None:
    for program in ("dcmdump", "storescu", "Orthanc", "curl"):
        tool(program)
    met = set()
    with ExitStack() as running:
        reader = Reader(tmp_path, running)
        page = blocks(README)
        for block, following in zip(page, [*page[1:], None], strict=True):
            met.add(block.kind)
            saved = re.findall(r"Save this as `([^`]+)`", block.above)
            if saved:
                (tmp_path / saved[-1]).write_text(reader.here(block.text))
                continue
            match block.kind:
                case "console":
                    for command, shown in exchanges(block.text):
                        assert reader.answer(command) == reader.here(shown), command
                case "python":
                    assert following is not None
                    assert following.kind == "text"
                    assert python(block.text, tmp_path) == following.text
                case "json":
                    shown_event = json.loads(block.text)
                    events = [json.loads(line) for line in reader.log.read_text().splitlines() if line.startswith("{")]
                    (event,) = [event for event in events if event["event"] == shown_event["event"]]
                    assert list(event) == list(shown_event)
                    for name in event.keys() - UNEQUAL:
                        assert event[name] == shown_event[name], name
    assert met == {"sh", "console", "yaml", "python", "text", "json"}


def test_scripts_run_is_karnak_serve() -> None:
    """The session above starts the program itself: a script that makes an environment is not for tests."""
    assert (ROOT / GATEWAY).read_text().splitlines()[-1] == 'exec .venv/bin/karnak serve "$@"'


def test_the_commands_of_the_page_exist() -> None:
    shell = "".join(block.text for block in blocks(README) if block.kind in ("sh", "console"))
    named = set(re.findall(r"\bscripts/\w+", shell + README))
    assert {"scripts/run", "scripts/test"} <= named
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_the_picture_is_what_a_terminal_shows(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "pictures", tmp_path], env=environment(), check=True)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in (ROOT / "docs" / "pictures").iterdir()}
    assert made == kept, "run scripts/pictures and look at what it made"


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as the usual viewers make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
