"""From a configuration to a plan: everything that it names is found, read and checked before a port is opened.

Names are resolved, profiles compiled, secrets and tables of pseudonyms read. What could let an
instance out without its rules is an error here, not a surprise later. All mistakes are
collected; there is a plan only where there are none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from karnak.dsl.compile import compile_condition
from karnak.dsl.diagnostics import Diagnostic, has_errors, in_order
from karnak.dsl.findings import Findings
from karnak.dsl.nodes import Source
from karnak.dsl.selectors import read_tag
from karnak.errors import KarnakError
from karnak.gateway.config import Config, ForwardNodeEntry, SourceEntry
from karnak.gateway.config_destinations import CsvEntry, TagEntry
from karnak.gateway.config_house import Listen
from karnak.gateway.config_notes import Location, Notes, did_you_mean
from karnak.gateway.config_reading import read_config
from karnak.gateway.destination_plans import DestinationPlanner, Entry
from karnak.gateway.house_plan import HousePlan, plan_house
from karnak.gateway.programs import Programs
from karnak.gateway.project_plans import ResolvedProject, no_duplicates, resolve_projects
from karnak.gateway.pseudonyms import CsvPseudonyms, GeneratedPseudonym, PseudonymError, PseudonymSource, TagPseudonym
from karnak.gateway.retry_plan import plan_backoff
from karnak.gateway.route import ForwardNode, Outlet, ReportAddress, Sender, Treatment
from karnak.gateway.sop_classes import sop_class_uid, storage_names
from karnak.ir.expression import Expression
from karnak.runtime.deidentify import Engine

# What does not change where instances go and how.
_OF_RULES = {"enabled", "mode", "project", "pseudonym", "condition", "sop_classes", "retry"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a gateway is to do.

    Attributes:
        listen: where and how it listens.
        data_dir: folder for what it keeps.
        nodes: forward nodes with everything they need.
        house: spool, index, API and the like.
        files: what was read; the plan may be another when one of them is.
        engine: what carries the rules out.
    """

    listen: Listen
    data_dir: Path
    nodes: tuple[ForwardNode, ...]
    house: HousePlan
    files: tuple[Path, ...] = ()
    engine: Engine = "tables"

    def treated(self) -> frozenset[str]:
        """The names of the destinations with rules."""
        return frozenset(o.name for node in self.nodes for o in node.outlets if o.treatment is not None)


def make_plan(
    source: Source,
    base: Path,
    environment: Mapping[str, str],
    programs: Programs | None = None,
    failed: Callable[[KarnakError], None] = lambda _: None,
) -> tuple[Plan | None, tuple[Diagnostic, ...]]:
    """Read and check a configuration, and everything it names.

    Args:
        source: the text of the configuration.
        base: folder that its relative paths start from.
        environment: environment variables.
        programs: profiles that were compiled before, for a reload.
        failed: is told, later, of renewed files for TLS that can't be used; the last good ones stay in force.

    Returns:
        The plan, or None where a diagnostic is an error.
    """
    reading = read_config(source)
    if reading.config is None or reading.root is None:
        return None, in_order(reading.diagnostics)
    notes = Notes(reading.root)
    projects = resolve_projects(reading.config.projects, base, environment, notes, programs or Programs())
    house = plan_house(reading.config, base, environment, notes)
    destinations = DestinationPlanner(base, environment, notes, failed)
    plan = _Planner(reading.config, base, projects, destinations, house, notes).plan()
    return (None if has_errors(notes.all) else plan), notes.all


class _Planner:
    """Goes through a configuration once and notes what is wrong."""

    def __init__(
        self,
        config: Config,
        base: Path,
        projects: Mapping[str, ResolvedProject],
        destinations: DestinationPlanner,
        house: HousePlan,
        notes: Notes,
    ) -> None:
        self._config = config
        self._destinations = destinations
        self._base = base
        self._projects = projects
        self._house = house
        self._notes = notes

    def plan(self) -> Plan:
        """Make the plan; it is good only if nothing was found to be an error."""
        nodes: list[tuple[Location, ForwardNodeEntry]]
        nodes = [(("forward_nodes", i), node) for i, node in enumerate(self._config.forward_nodes)]
        no_duplicates(self._notes, "forward node", [((*at, "ae_title"), node.ae_title) for at, node in nodes])
        named: list[tuple[Location, str]] = []
        for at, node in nodes:
            named += [((*at, "destinations", i, "name"), entry.name) for i, entry in enumerate(node.destinations)]
        no_duplicates(self._notes, "destination", named)
        made = tuple(self._node(node, at) for at, node in nodes)
        config = self._config
        return Plan(config.listen, self._base / config.data_dir, made, self._house, self._files(), config.engine)

    def _files(self) -> tuple[Path, ...]:
        """What the configuration names: profiles, secrets, tables of pseudonyms."""
        named: list[Path | None] = []
        for project in self._config.projects:
            named += [project.profile, project.secret_file]
        for node in self._config.forward_nodes:
            tables = (entry.pseudonym for entry in node.destinations)
            named += [table.file for table in tables if isinstance(table, CsvEntry)]
        return tuple(dict.fromkeys(self._base / path for path in named if path is not None))

    def _node(self, node: ForwardNodeEntry, at: Location) -> ForwardNode:
        senders = None
        if node.sources is not None:
            senders = tuple(self._sender(entry, (*at, "sources", i)) for i, entry in enumerate(node.sources))
        if not any(entry.enabled for entry in node.destinations):
            hint = "enable one, or remove the forward node"
            self._notes.add("G206", f"no destination of {node.ae_title} is enabled", (*at, "destinations"), hint)
        made = [(e, self._outlet(e, node, (*at, "destinations", i))) for i, e in enumerate(node.destinations)]
        return ForwardNode(node.ae_title, senders, tuple(outlet for entry, outlet in made if entry.enabled))

    def _sender(self, entry: SourceEntry, at: Location) -> Sender:
        if entry.check_host and entry.host is None:
            self._notes.add(
                "G208", "the host is to be checked, but there is no `host`", (*at, "check_host"), "write the host"
            )
        if entry.port is not None and entry.host is None:
            self._notes.add("G208", "there is a `port` for reports, but no `host`", (*at, "port"), "write the host")
        if entry.tls is not None and entry.port is None:
            message = "there is `tls` for reports, but no `port`"
            self._notes.add("G205", message, (*at, "tls"), "it is for what Storage Commitment answers")
        reports = None
        if entry.host is not None and entry.port is not None:
            tls = self._destinations.tls(entry.tls, (*at, "tls")) if entry.tls is not None else None
            reports = ReportAddress(entry.host, entry.port, tls)
        return Sender(entry.ae_title, entry.host if entry.check_host else None, reports)

    def _outlet(self, entry: Entry, node: ForwardNodeEntry, at: Location) -> Outlet:
        return Outlet(
            entry.name,
            self._destinations.destination(entry, node.ae_title, at),
            self._treatment(entry, at),
            self._condition(entry, at),
            self._sop_classes(entry, at),
            plan_backoff(entry.retry, (*at, "retry"), self._notes),
            # Who is called by another name is another destination.
            settings=f"{node.ae_title} {entry.model_dump_json(exclude=_OF_RULES)}",
        )

    def _treatment(self, entry: Entry, at: Location) -> Treatment | None:
        if entry.mode == "none":
            for key, value in (("project", entry.project), ("pseudonym", entry.pseudonym)):
                if value is not None:
                    self._notes.add(
                        "G205", f"with `mode: none` {key} has no effect", (*at, key), "instances leave as they are"
                    )
            return None
        pseudonyms = self._pseudonyms(entry, at)
        if entry.project is None:
            self._notes.add("G203", f"a destination with `mode: {entry.mode}` needs a `project`", at)
            return None
        if entry.project not in self._projects:
            hint = did_you_mean(entry.project, tuple(self._projects))
            self._notes.add("G202", f"there is no project {entry.project}", (*at, "project"), hint)
            return None
        resolved = self._projects[entry.project]
        if resolved.project is None or resolved.program is None:
            return None
        mode: Literal["deid", "morph"] = "deid" if entry.mode == "deidentify" else "morph"
        return Treatment(mode, resolved.program, resolved.project, pseudonyms, resolved.file)

    def _pseudonyms(self, entry: Entry, at: Location) -> PseudonymSource | None:
        chosen = entry.pseudonym
        if chosen is None:
            if entry.mode == "deidentify":
                message = "a destination with `mode: deidentify` needs a `pseudonym`"
                self._notes.add("G204", message, at, "such as pseudonym: { from: generated }")
            return None
        if entry.mode == "morph":
            self._notes.add("G205", "with `mode: morph` a pseudonym has no effect", (*at, "pseudonym"))
            return None
        at = (*at, "pseudonym")
        issuer = self._default_issuer(entry)
        try:
            if isinstance(chosen, CsvEntry):
                return CsvPseudonyms.read(self._base / chosen.file, chosen.delimiter, issuer)
            if isinstance(chosen, TagEntry):
                findings = Findings()
                tag = read_tag(self._notes.scalar((*at, "tag")), findings)
                self._notes.extend(findings.all)
                return TagPseudonym(tag, chosen.delimiter, chosen.position) if tag is not None else None
        except PseudonymError as error:
            self._notes.add("G303", str(error), (*at, "file") if isinstance(chosen, CsvEntry) else at)
            return None
        return GeneratedPseudonym(issuer)

    def _default_issuer(self, entry: Entry) -> str:
        resolved = self._projects.get(entry.project or "")
        return resolved.program.profile.default_issuer if resolved is not None and resolved.program is not None else ""

    def _condition(self, entry: Entry, at: Location) -> Expression | None:
        if entry.condition is None:
            return None
        condition, diagnostics = compile_condition(self._notes.scalar((*at, "condition")))
        self._notes.extend(diagnostics)
        return condition

    def _sop_classes(self, entry: Entry, at: Location) -> frozenset[str]:
        uids = []
        for i, text in enumerate(entry.sop_classes):
            uid = sop_class_uid(text)
            if uid is None:
                hint = did_you_mean(text, storage_names())
                self._notes.add("G207", f"no SOP Class for storage is called {text}", (*at, "sop_classes", i), hint)
            else:
                uids.append(uid)
        return frozenset(uids)
