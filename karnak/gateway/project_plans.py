"""The projects of a configuration: names told apart, secrets read, profiles compiled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from karnak.gateway.config import ProjectEntry
from karnak.gateway.config_notes import Location, Notes
from karnak.gateway.programs import Programs
from karnak.gateway.projects import read_secret, readable_by_others
from karnak.runtime.keys import Project, SecretError, parse_secret
from karnak.runtime.program import Program

_WHAT_A_SECRET_IS = "32 hexadecimal digits, as `openssl rand -hex 16` makes them"


@dataclass(frozen=True, slots=True)
class ResolvedProject:
    """A project as far as it could be read.

    Attributes:
        project: name and secret, or None where a note says why there is no secret.
        program: its compiled profile, or None where notes say why there is none.
        file: of the profile, as the configuration names it.
    """

    project: Project | None
    program: Program | None
    file: str = ""


def no_duplicates(notes: Notes, what: str, names: Iterable[tuple[Location, str]]) -> None:
    """Note every name that stands a second time.

    Args:
        notes: where to note it.
        what: what is named.
        names: where names stand, and the names.
    """
    first: dict[str, Location] = {}
    for at, name in names:
        if name in first:
            notes.add("G201", f"there is another {what} {name}", at, "give it a name of its own", first=first[name])
        first.setdefault(name, at)


def resolve_projects(
    entries: Sequence[ProjectEntry], base: Path, environment: Mapping[str, str], notes: Notes, programs: Programs
) -> Mapping[str, ResolvedProject]:
    """Read the secrets and compile the profiles of projects.

    Args:
        entries: the projects of the configuration.
        base: folder that relative paths start from.
        environment: environment variables.
        notes: where to note what is wrong.
        programs: profiles that were compiled before.

    Returns:
        The projects by name.
    """
    no_duplicates(notes, "project", [(("projects", i, "name"), entry.name) for i, entry in enumerate(entries)])
    resolved = {}
    for i, entry in enumerate(entries):
        at: Location = ("projects", i)
        secret = _secret(entry, at, base, environment, notes)
        project = Project(entry.name, secret) if secret is not None else None
        resolved[entry.name] = ResolvedProject(project, _program(entry, at, base, programs, notes), str(entry.profile))
    return resolved


def _program(entry: ProjectEntry, at: Location, base: Path, programs: Programs, notes: Notes) -> Program | None:
    path = base / entry.profile
    if not path.is_file():
        message = f"there is no profile {entry.profile}"
        notes.add("G304", message, (*at, "profile"), "relative paths start at the configuration's folder")
        return None
    program, diagnostics = programs.program(path)
    notes.extend(diagnostics)
    return program


def _secret(
    entry: ProjectEntry, at: Location, base: Path, environment: Mapping[str, str], notes: Notes
) -> bytes | None:
    if (entry.secret_file is None) == (entry.secret_env is None):
        notes.add("G102", "a project needs one of `secret_file` and `secret_env`", at)
        return None
    key = "secret_env" if entry.secret_file is None else "secret_file"
    try:
        if entry.secret_file is not None:
            path = base / entry.secret_file
            secret = read_secret(path)
            if readable_by_others(path):
                notes.add("G302", "everyone on this machine can read the secret", (*at, key), f"chmod 600 {path}")
            return secret
        text = environment.get(entry.secret_env or "")
        if text is None:
            notes.add("G301", f"there is no environment variable {entry.secret_env}", (*at, key))
            return None
        return parse_secret(text)
    except SecretError as error:
        notes.add("G301", str(error), (*at, key), _WHAT_A_SECRET_IS)
        return None
