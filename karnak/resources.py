"""The files that ship beside the code: grammars and profiles, wherever Karnak is installed.

In a wheel they lie inside the package; in a checkout, and so in an editable installation,
they lie at the top of the repository. Nobody else may look for them.
"""

from pathlib import Path

from karnak.errors import KarnakError

_PACKAGE = Path(__file__).resolve().parent


class MissingResource(KarnakError):
    """A file that ships with Karnak is not there: a name is wrong or the installation is incomplete."""


def _find(kind: str, name: str) -> Path:
    inside, beside = _PACKAGE / kind, _PACKAGE.parent / kind
    folder = inside if inside.is_dir() else beside
    path = folder / name
    # A name with folders in it could point anywhere.
    if Path(name).name != name or not path.is_file():
        known = ", ".join(sorted(entry.name for entry in folder.glob("[!.]*"))) if folder.is_dir() else "none"
        raise MissingResource(f"Karnak ships no file {name!r} in {kind}; there are: {known}")
    return path


def grammar(name: str) -> str:
    """Read a grammar of the `grammar/` folder.

    Args:
        name: file name without its suffix, such as "expression".

    Returns:
        The text of `grammar/<name>.lark`.

    Raises:
        MissingResource: there is no such grammar.
    """
    return _find("grammar", f"{name}.lark").read_text(encoding="utf-8")


def shipped_profile(name: str) -> Path:
    """Find a profile of the `profiles/` folder.

    Args:
        name: file name without its suffix, such as "basic".

    Returns:
        Path of `profiles/<name>.yml`.

    Raises:
        MissingResource: there is no such profile.
    """
    return _find("profiles", f"{name}.yml")
