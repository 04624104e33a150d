"""The list of what is struck is whole: every step between states, every call of the disk, whoever makes it."""

import ast
from importlib import import_module
from pathlib import Path
from random import Random

import pytest

import karnak.gateway
from karnak.gateway.disk import Disk
from karnak.gateway.states import TRANSITIONS
from tests.crash.edges import CALLS, EDGES, STEPS, strikes
from tests.crash.test_crash import BLOWS, CHAINS

# Asked for by metrics only: what it says decides nothing.
NOT_STRUCK = {"size"}
# Calls that change nothing on a disk, or that are made only when another has failed.
NO_BLOWS = {
    "audit": {"close"},
    "house_lock": {"close"},
    "deliver.folder": {"close", "fdopen", "fstat", "stat", "strerror", "unlink"},
    "deliver.incoming": {"close", "fstat", "listdir"},
}
# What the command line writes, and no gateway: outputs of `karnak deid`, secrets.
COMMAND_LINE = {"contents", "placing", "projects"}
# One throws away what others say; one writes a name before anything is received, where the index is another's.
ELSEWHERE = {"apart", "store.ownership"}
WRITES = {"write", "pwrite", "writev", "rename", "replace", "unlink", "link", "mkdir", "fsync", "fdatasync"}
PATH_WRITES = {"unlink", "touch", "rmdir", "write_bytes", "write_text", "symlink_to", "hardlink_to"}
ROOT = Path(karnak.gateway.__path__[0])


def parsed(module: str) -> ast.Module:
    return ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())


def calls(module: str) -> set[tuple[str, str]]:
    """What is called on what, as names, in a module."""
    made = [
        node.func
        for node in ast.walk(parsed(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]
    return {(ast.unparse(call.value), call.attr) for call in made}


def system_calls(module: str) -> set[str]:
    return {name for owner, name in calls(module) if owner == "os"}


def opens_to_write(module: str) -> bool:
    """Tell whether a module opens files for more than reading; what can't be told counts as such."""
    opens = [node for node in ast.walk(parsed(module)) if isinstance(node, ast.Call)]
    return any(ast.unparse(node.func) == "os.open" and "os.O_RDONLY" not in ast.unparse(node) for node in opens)


def modules() -> list[str]:
    found = (path.relative_to(ROOT).with_suffix("") for path in ROOT.rglob("*.py") if path.name != "__init__.py")
    return [".".join(path.parts) for path in found if "migrations" not in path.parts]


def test_every_step_of_the_state_machine_is_struck() -> None:
    assert STEPS.keys() == TRANSITIONS.keys()
    assert all(edges and set(edges) <= set(EDGES) for edges in STEPS.values())


def test_every_call_of_the_disk_is_struck() -> None:
    methods = {name for name, value in vars(Disk).items() if callable(value) and not name.startswith("_")}
    assert {edge.method for edge in CALLS if edge.owner == "Disk"} == methods - NOT_STRUCK


@pytest.mark.parametrize("module", sorted(NO_BLOWS))
def test_every_call_that_a_module_makes_itself_is_struck(module: str) -> None:
    struck = {edge.method for edge in CALLS if edge.owner == "os" and edge.module == module}
    assert struck == system_calls(module) - NO_BLOWS[module]


def test_nobody_else_writes() -> None:
    own = {module for module in modules() if system_calls(module) & WRITES or opens_to_write(module)}
    assert own == {"disk"} | NO_BLOWS.keys() | COMMAND_LINE | ELSEWHERE
    by_path = {
        module for module in modules() if any(owner != "os" and name in PATH_WRITES for owner, name in calls(module))
    }
    assert by_path == {"disk", "batch", "projects", "report"}


def test_every_edge_is_struck_and_is_there() -> None:
    assert {strike.edge for strike in strikes(Random("crash"), CHAINS * BLOWS)} == set(EDGES)
    for edge in EDGES:
        module = import_module(f"karnak.gateway.{edge.module}")
        owner = getattr(module, edge.owner) if edge.owner else module
        assert callable(getattr(owner, edge.method))
