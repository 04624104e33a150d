"""Which rules could have a say about a tag: most name a few tags, and need not be asked about any other.

It never leaves out a rule that selects an element; whether one does is for its selector to say.
"""

from collections.abc import Sequence

from karnak.ir.profile import Rule
from karnak.ir.selector import SelectorTerm, TagPath, TagPattern


class Candidates:
    """The rules of a profile by the tags that they name.

    Args:
        rules: in profile order.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        exact: dict[int, set[int]] = {}
        wide: set[int] = set()
        for index, rule in enumerate(rules):
            for tag in map(_only_tag, rule.selector.include):
                if tag is None:
                    wide.add(index)
                else:
                    exact.setdefault(tag, set()).add(index)
        self._wide = tuple(sorted(wide))
        self._exact = {tag: tuple(sorted(indices | wide)) for tag, indices in exact.items()}

    def of(self, tag: int) -> tuple[int, ...]:
        """Positions of the rules that could select an element with a tag, in order."""
        return self._exact.get(tag, self._wide)


def _only_tag(term: SelectorTerm) -> int | None:
    """The one tag that the elements of a term have, or None where they have several."""
    last = term.steps[-1] if isinstance(term, TagPath) else term
    return last.value if isinstance(last, TagPattern) and last.exact else None
