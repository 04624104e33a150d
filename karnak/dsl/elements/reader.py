"""Reading one profile element: its selectors, its action, its arguments; every gap and surplus is reported."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from karnak.dsl.diagnostics import Label
from karnak.dsl.findings import Findings
from karnak.dsl.narrowing import Facts
from karnak.dsl.nodes import Scalar
from karnak.dsl.selectors import read_selector
from karnak.dsl.surface import ElementShape
from karnak.ir.profile import Action, Effect
from karnak.ir.selector import EVERY_TAG, NOTHING, Selector, SelectorTerm
from karnak.ir.span import Span

# D and DDum mean the same: a dummy value by VR.
ACTIONS: Mapping[str, Action] = {
    "K": Action.KEEP,
    "X": Action.REMOVE,
    "Z": Action.EMPTY,
    "D": Action.DUMMY,
    "U": Action.UID,
    "DDum": Action.DUMMY,
}
_ACTION_HELP = "K keeps, X removes, Z empties, D and DDum put a dummy, U puts a new UID"
# Whole numbers as Java Karnak reads them: 32 bits with a sign.
_INTEGER_LIMIT = 2**31


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an element type makes of an element: which data elements it speaks of, and what it does to them."""

    effect: Effect
    selector: Selector = NOTHING


@dataclass(frozen=True, slots=True)
class ElementType:
    """A codename.

    Attributes:
        codename: as it stands in profiles.
        keys: which of action, option, arguments, tags and excludedTags it reads.
        build: reads an element; None where a finding says why it has no meaning.
        unique: at most one in a profile.
        runs: whether this build can run it.
    """

    codename: str
    keys: frozenset[str]
    build: Callable[["ElementReader"], Meaning | None]
    unique: bool = False
    runs: bool = True


class ElementReader:
    """One element and where its findings go."""

    def __init__(self, shape: ElementShape, findings: Findings, facts: Facts, has_masks: bool) -> None:
        self.shape = shape
        self.findings = findings
        self.facts = facts
        self.has_masks = has_masks
        self._misspelt: set[str] = set()
        # The terms of tags that could be read, each with its text.
        self.included: list[tuple[Scalar, SelectorTerm]] = []

    @property
    def place(self) -> Span:
        """Where a finding about the whole element points: at its codename."""
        return self.shape.codename.inner

    def missing(self, key: str, hint: str) -> None:
        """Note that a key is not there that this type can't do without."""
        if key in self.shape.reported:
            return
        self.findings.add("K102", f"{key} is missing in this {self.shape.codename.text}", self.place, hint)

    def action(self, allowed: Collection[str] = tuple(ACTIONS), default: Action | None = None) -> Action | None:
        """Read the action; None where there is none that can be used."""
        text = self.shape.action
        if text is None:
            if default is None:
                self.missing("action", f"write action: {' | '.join(allowed)}")
            return default
        if text.text in allowed:
            return ACTIONS[text.text]
        what = "is no action" if text.text not in ACTIONS else "can't be done by this type of element"
        self.findings.unknown("K403", f"{text.text[:40]} {what}", text.inner, text.text, allowed, notes=(_ACTION_HELP,))
        return None

    def selector(self, vrs: frozenset[str] = frozenset(), private_only: bool = False, needed: bool = False) -> Selector:
        """Read tags and excludedTags; without tags every element is meant, unless they are needed."""
        tags = self.shape.tags or []
        if needed and not tags:
            self.missing("tags", "write tags: and a list of selectors")
        self.included = self._terms(tags)
        include = tuple(term for _, term in self.included) if tags else (EVERY_TAG,)
        exclude = tuple(term for _, term in self._terms(self.shape.excluded_tags or []))
        return Selector(include, exclude, vrs, private_only)

    def _terms(self, texts: Sequence[Scalar]) -> list[tuple[Scalar, SelectorTerm]]:
        seen: dict[SelectorTerm, Scalar] = {}
        for text in texts:
            term = read_selector(text, self.findings)
            if term is None:
                continue
            if term in seen:
                labels = (Label(seen[term].span, "the first one"),)
                self.findings.add("K211", f"{term} stands twice in this list", text.inner, labels=labels)
            seen.setdefault(term, text)
        return [(text, term) for term, text in seen.items()]

    def arguments(self, known: Collection[str]) -> Mapping[str, Scalar]:
        """Give the arguments that are texts; report the ones that aren't known."""
        place = self.shape.place.get("arguments")
        keys = {key.text: key for key, _ in getattr(place, "entries", ())}
        found: dict[str, Scalar] = {}
        for name, value in self.shape.arguments.items():
            span = keys[name].span if name in keys else self.place
            if name not in known:
                message = f"there is no argument {name[:40]} here"
                near = self.findings.unknown("K402", message, span, name, known)
                self._misspelt.add(near or "")
            elif isinstance(value, list):
                self.findings.add("K103", f"{name} must be a text, and this is a list", span)
                self._misspelt.add(name)
            elif value is not None:
                found[name] = value
        return found

    def argument_missing(self, name: str, hint: str = "") -> None:
        """Note an argument that is not there, unless it is there and misspelt or of the wrong shape."""
        if name in self._misspelt or {"arguments", f"arguments.{name}"} & self.shape.reported:
            return
        key = self.shape.place.key("arguments")
        place = key.span if key is not None else self.place
        what = f"the argument {name} is missing in this {self.shape.codename.text}"
        self.findings.add("K401", what, place, hint or f"write arguments: {{ {name}: ... }}")

    def integer(self, arguments: Mapping[str, Scalar], name: str, default: int | None = None) -> int | None:
        """Read a whole number of 32 bits; None where there is none and no default."""
        text = arguments.get(name)
        if text is None:
            if default is None:
                self.argument_missing(name)
            return default
        number = text.integer
        if number is None or not -_INTEGER_LIMIT <= number < _INTEGER_LIMIT:
            self.findings.add("K405", f"{name} must be a whole number of at most 32 bits", text.inner)
            return None
        return number

    def choice(self, text: Scalar, name: str, allowed: Collection[str]) -> str | None:
        """Read an argument that has a fixed list of values."""
        if text.text in allowed:
            return text.text
        message = f"{text.text[:40]} is no value of {name}"
        self.findings.unknown("K409", message, text.inner, text.text, allowed)
        return None
