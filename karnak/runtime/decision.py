"""What a rule decides for one element. Data only; `values` and `interpret` carry it out."""

from dataclasses import dataclass
from enum import StrEnum

from karnak.ir.profile import Action, DatePart, Rule
from karnak.runtime.dates import Amount


class Verb(StrEnum):
    """Everything that can be decided for an element."""

    KEEP = "keep"
    REMOVE = "remove"
    EMPTY = "empty"
    UID = "uid"
    DUMMY = "dummy"
    SHIFT = "shift"
    TRUNCATE = "truncate"
    REPLACE = "replace"
    ADD = "add"
    EXCLUDE = "exclude"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verb with what it needs.

    Attributes:
        verb: what is done.
        rule: the rule that decided, or None where no rule did.
        text: new text of REPLACE, not empty; of ADD, where None stands for no text.
        amount: how far SHIFT moves.
        part: what TRUNCATE removes.
        tag: the tag that ADD adds.
        vr: the VR that ADD gives it.
        own_rows: decided for a sequence, it says nothing of the elements in its items.
    """

    verb: Verb
    rule: Rule | None = None
    text: str | None = None
    amount: Amount | None = None
    part: DatePart | None = None
    tag: int = 0
    vr: str = ""
    own_rows: bool = False


VERBS = {
    Action.KEEP: Verb.KEEP,
    Action.REMOVE: Verb.REMOVE,
    Action.EMPTY: Verb.EMPTY,
    Action.UID: Verb.UID,
    Action.DUMMY: Verb.DUMMY,
}
