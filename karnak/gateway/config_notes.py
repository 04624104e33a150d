"""What is wrong with a configuration: the register of codes, and notes by the location of its parts."""

from collections.abc import Iterable, Mapping

from karnak.dsl.diagnostics import Diagnostic, Label, Severity, in_order
from karnak.dsl.nearest import nearest
from karnak.dsl.nodes import Mapping as MappingNode
from karnak.dsl.nodes import Node, Scalar, Sequence
from karnak.ir.span import Span

Location = tuple[str | int, ...]

# Code -> name and severity; a code never changes its meaning.
CODES: Mapping[str, tuple[str, Severity]] = {
    "G101": ("unknown-key", Severity.ERROR),
    "G102": ("missing-key", Severity.ERROR),
    "G103": ("wrong-value", Severity.ERROR),
    "G104": ("unknown-choice", Severity.ERROR),
    "G105": ("too-much", Severity.ERROR),
    "G201": ("duplicate-name", Severity.ERROR),
    "G202": ("unknown-project", Severity.ERROR),
    "G203": ("missing-project", Severity.ERROR),
    "G204": ("missing-pseudonym", Severity.ERROR),
    "G205": ("no-effect", Severity.WARNING),
    "G206": ("nothing-enabled", Severity.ERROR),
    "G207": ("unknown-sop-class", Severity.ERROR),
    "G208": ("host-check", Severity.ERROR),
    "G209": ("unknown-transfer-syntax", Severity.ERROR),
    "G210": ("unsupported-transfer-syntax", Severity.ERROR),
    "G211": ("wrong-layout", Severity.ERROR),
    "G212": ("wrong-retry", Severity.ERROR),
    "G213": ("unverified-peer", Severity.WARNING),
    "G214": ("open-credentials", Severity.WARNING),
    "G215": ("open-api", Severity.ERROR),
    "G216": ("unknown-forward-node", Severity.ERROR),
    "G301": ("unusable-secret", Severity.ERROR),
    "G302": ("open-secret", Severity.WARNING),
    "G303": ("unusable-pseudonyms", Severity.ERROR),
    "G304": ("unreadable-profile", Severity.ERROR),
    "G305": ("unusable-tls", Severity.ERROR),
    "G306": ("unusable-credentials", Severity.ERROR),
}


def finding(
    code: str, message: str, span: Span, hint: str = "", *, notes: tuple[str, ...] = (), labels: tuple[Label, ...] = ()
) -> Diagnostic:
    """Make a diagnostic of the gateway's register.

    Args:
        code: a code of `CODES`.
        message: what is wrong, one sentence without a full stop.
        span: where.
        hint: what to write instead.
        notes: further help.
        labels: other places that belong to it.
    """
    name, severity = CODES[code]
    return Diagnostic(code, name, severity, message, span, hint, labels, notes)


def did_you_mean(word: str, known: tuple[str, ...]) -> str:
    """Suggest the nearest known word, or give "" where none is near."""
    near = nearest(word, known)
    return f"did you mean {near}?" if near is not None else ""


class Notes:
    """What is wrong with a configuration of the right shape, noted by the location of its parts.

    Args:
        root: the tree of the text.
    """

    def __init__(self, root: Node) -> None:
        self._root = root
        self._found: list[Diagnostic] = []

    @property
    def all(self) -> tuple[Diagnostic, ...]:
        """Everything noted, in the order of the text."""
        return in_order(self._found)

    def add(self, code: str, message: str, at: Location, hint: str = "", *, first: Location | None = None) -> None:
        """Note one thing.

        Args:
            code: a code of `CODES`.
            message: what is wrong, one sentence without a full stop.
            at: the part that is wrong, or the one that misses something.
            hint: what to write instead.
            first: another part that it clashes with.
        """
        labels = (Label(self.place(first), "the first one"),) if first is not None else ()
        self._found.append(finding(code, message, self.place(at), hint, labels=labels))

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Note what was found elsewhere."""
        self._found.extend(diagnostics)

    def scalar(self, at: Location) -> Scalar:
        """Find the text of a setting, which knows where each of its characters stands.

        Raises:
            KeyError: there is no text at this location.
        """
        node, found = node_at(self._root, at)
        if not found or not isinstance(node, Scalar):
            raise KeyError(at)
        return node

    def place(self, at: Location) -> Span:
        """Find where a part stands, or the part around it; a text without its quotes."""
        node, _ = node_at(self._root, at)
        return node.inner if isinstance(node, Scalar) else node.span


def node_at(root: Node, location: Location) -> tuple[Node, bool]:
    """Follow a location through the tree.

    Returns:
        The node, or the last one on the way that exists, and whether the whole location led to it.
    """
    node = root
    for step in location:
        after: Node | None = None
        if isinstance(step, int) and isinstance(node, Sequence):
            after = node.items[step]
        elif isinstance(step, str) and isinstance(node, MappingNode):
            after = node.get(step)
        if after is None:
            return node, False
        node = after
    return node, True
