"""What the tests of `karnak deid` share: the real command in a process of its own, and things to give it."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
INSTANCES = ROOT / "tests" / "data" / "instances"
SECRET = "0123456789abcdef0123456789abcdef"
AT = "2026-01-31T12:00:00Z"
PROFILE = """\
name: "Test"
version: "1.2"
profileElements:
  - name: "Keep the maker"
    codename: "action.on.specific.tags"
    action: "K"
    tags: ["0008,0070"]
  - name: "Basic profile"
    codename: "basic.dicom.profile"
"""
EXCLUDING = """\
name: "Without CT"
version: "1"
profileElements:
  - name: "No CT"
    codename: "expression.on.tags"
    arguments: { expr: "stringValue == 'CT' ? ExcludeInstance() : null" }
    tags: ["Modality"]
  - name: "Basic profile"
    codename: "basic.dicom.profile"
"""
COMMAND = (sys.executable, "-m", "karnak", "deid")


def environment(**added: str) -> dict[str, str]:
    """The environment of a run, without what the tester's own shell may say of secrets."""
    return {k: v for k, v in os.environ.items() if k != "KARNAK_SECRET"} | {"PYTHONPATH": str(ROOT)} | added


def karnak(
    *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `karnak deid` to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=environment(KARNAK_SECRET=SECRET) if env is None else dict(env),
        capture_output=True,
        text=True,
        check=False,
    )


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its name relative to it; nothing where there is no folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def many(folder: Path, count: int) -> Path:
    """Fill a folder with instances that differ in their SOP Instance UID only."""
    folder.mkdir()
    data = (INSTANCES / "rtplan.dcm").read_bytes()
    uid = b"1.2.777.777.77.7.7777.7777.20030903150023"
    assert uid in data
    for number in range(count):
        (folder / f"{number:05}").write_bytes(data.replace(uid, uid[:-6] + b"%06d" % (100000 + number)))
    return folder
