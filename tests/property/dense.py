"""Instances and profiles that meet: everything is drawn from a few tags, creators, values and words.

What one generator draws, Hypothesis can shrink and a plain Random can draw by the million: both are a Random.
Instances are well formed by PS3.5 section 7, but odd in every way that it leaves open; profiles are of the kinds
that the front end gives, well typed, and ask for what people would not ask for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TypeVar

from karnak.ir.expression import (
    ACTION,
    BOOL,
    INT,
    LIST,
    NULL,
    NUMBER,
    STR,
    TAG,
    VR,
    Binary,
    BinaryOperator,
    Conditional,
    Current,
    CurrentName,
    Elvis,
    Expression,
    Index,
    Kind,
    Literal,
    Type,
    Unary,
    UnaryOperator,
)
from karnak.ir.functions import FUNCTIONS
from karnak.ir.profile import (
    DATE_VRS,
    Action,
    AddElement,
    AddPrivateElement,
    Apply,
    BasicProfile,
    DatePart,
    Effect,
    Evaluate,
    Profile,
    Rule,
    Shift,
    ShiftByTag,
    ShiftRange,
    TruncateDate,
)
from karnak.ir.selector import (
    EVERY_TAG,
    FULL_MASK,
    NOTHING,
    PrivateElement,
    Selector,
    SelectorTerm,
    TagPath,
    TagPattern,
    Term,
    is_private,
    is_private_creator,
)
from karnak.ir.span import Span
from karnak.runtime.encoding import implicit_vr
from karnak.standard import dictionary
from karnak.standard.confidentiality import Option
from karnak.testing.character_sets import ALL, DEFAULT, CharacterSet
from karnak.testing.expressions import call, method, number, tag, text
from karnak.testing.specimen import (
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_2000,
    Element,
    Fragments,
    Item,
    Items,
    Leaf,
    Specimen,
    leaf,
    padded,
    tag_of,
)

T = TypeVar("T")

CHARACTER_SET = 0x00080005
CREATORS = ("ACME 1.0", "SIEMENS MR HEADER", "GEMS_PARM_01", "")
GROUPS = (0x0009, 0x0019)
# Creators, elements of blocks with and without one, and elements that belong to no block.
IN_GROUP = (0x0001, 0x0010, 0x0011, 0x00FF, 0x0100, 0x1000, 0x1001, 0x1027, 0x1101, 0x1110, 0xFF01)
LEAVES = (
    0x00080001, 0x00080008, 0x00080012, 0x00080013, 0x00080020, 0x0008002A, 0x00080030, 0x00080050, 0x00080060,
    0x00080070, 0x00080080, 0x00080090, 0x00080104, 0x00081030, 0x00081155, 0x00100010, 0x00100030, 0x00101010,
    0x00104000, 0x00120042, 0x00120063, 0x00180050, 0x00181012, 0x00181200, 0x00200011, 0x00200013, 0x00204000,
    0x00280010, 0x00280106, 0x00280303, 0x0040A120, 0x0040A124, 0x0040A160, 0x60000010, 0x60003000, 0x7777AB01,
)  # fmt: skip
SEQUENCES = (0x00081110, 0x00081140, 0x00120064, 0x00400275, 0x0040A043, 0x0040A730, 0x52009229)
UNUSUAL = (0x00080000, 0x00080000, 0x00100000, 0x00090000, 0xFFFCFFFC)
PIXEL_DATA = 0x7FE00010
IDENTITY = ("SOPClassUID", "SOPInstanceUID", "PatientID", "StudyInstanceUID", "SeriesInstanceUID")
SOP_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.88.11",
    "1.2.840.10008.5.1.4.1.1.2.1", "1.2.3.4.5.99", "1.2.840.10008.5.1.4.1.1.2\\1.2",
)  # fmt: skip
VRS = tuple(sorted(dictionary.VRS - {"SQ"}))
SHORT_TEXTS = ("", "A", "DOE^JANE", "CT", "YES", "1.5", "7", "-30", "PAT-1", "x y", "20230517", "101112", "^", " ")
DATES = ("20230517", "2023.05.17", "20231345", "00010101", "20000229")
TIMES = ("101112", "10", "1011", "101112.123456", "10:11:12", "240000")
MOMENTS = ("20230517101112", "2023", "202305171011+0100", "20230517101112.123456-0530", "2023051")
AGES = ("045Y", "000D", "012M", "45Y", "999W")
UIDS = ("1.2.3.4", "1.2.3.4.5", "1.2.840.10008.5.1.4.1.1.2", "2.25.7", "no uid", "")
# Longer than a run that is copied, and longer than a 16-bit length.
LONG_SIZES = (32766, 32768, 32770, 65534, 70000)


def seldom(random: Random, one_in: int) -> bool:
    """True once in so many times; False where a test case is made as simple as possible."""
    return random.randrange(one_in) == one_in - 1


# --- values ---------------------------------------------------------------------------------


def value(random: Random, vr: str, character_set: CharacterSet) -> bytes:
    """An encoded value: what its VR asks for mostly, empty, several or something else sometimes."""
    match random.randrange(16):
        case 0 | 1:
            return b""
        case 2:
            return random.randbytes(random.randrange(9))
        case 3:
            return text_value(random, vr, character_set)
    sizes = {"AT": 4, "FD": 8, "FL": 4, "SL": 4, "SS": 2, "SV": 8, "UL": 4, "US": 2, "UV": 8}
    if vr in sizes:
        return b"".join(random.choice((7, 0, 300)).to_bytes(sizes[vr], "little") for _ in range(random.randint(1, 3)))
    if vr in ("OB", "OD", "OF", "OL", "OV", "OW"):
        return random.randbytes(8 * random.randint(1, 2))
    if vr == "UN" and seldom(random, 3):
        return random.choice(HIDDEN)
    return text_value(random, vr, character_set)


# Unknown values that begin as sequences do; not all of them are.
HIDDEN = (
    b"\xfe\xff\x00\xe0\x00\x00\x00\x00",
    b"\xfe\xff\x00\xe0\x08\x00\x00\x00\x10\x00\x10\x00\x00\x00\x00\x00",
    b"\xfe\xff\x00\xe0\x0a\x00\x00\x00\x10\x00\x10\x00\x02\x00\x00\x00AB",
    b"\xfe\xff\x00\xe0\xff\xff\xff\xff\x10\x00\x10\x00\x02\x00\x00\x00AB\xfe\xff\x0d\xe0\x00\x00\x00\x00",
    b"\xfe\xff\x00\xe0\xff\xff\xff\xff\xfe\xff\x0d\xe0\x00\x00\x00\x00\xfe\xff\xdd\xe0\x00\x00\x00\x00",
    b"\xfe\xff\x00\xe0\x08\x00\x00\x00\x10\x00\x10\x00\x02\x00\x00\x00",
    b"\xfe\xff\x00\xe0\x04\x00\x00\x00AB",
)


def text_value(random: Random, vr: str, character_set: CharacterSet) -> bytes:
    """A text that fits a VR, mostly; in the character set where the VR may hold it."""
    words = {"DA": DATES, "TM": TIMES, "DT": MOMENTS, "AS": AGES, "UI": UIDS}.get(vr, SHORT_TEXTS)
    many = random.choice((1, 1, 1, 2, 3))
    parts = [random.choice(words).encode("ascii") for _ in range(many)]
    if vr in ("LO", "LT", "PN", "SH", "ST", "UC", "UT") and seldom(random, 2):
        parts[0] = character_set.encoded
    made = b"\\".join(parts) + b" " * random.choice((0, 0, 0, 1, 2))
    return made if seldom(random, 12) else padded(vr, made)


# --- instances ------------------------------------------------------------------------------


def vr_of(random: Random, tag_number: int) -> str:
    """The dictionary's VR mostly, UN or any other sometimes."""
    match random.randrange(12):
        case 10:
            return "UN"
        case 11:
            return random.choice(VRS)
    if is_private(tag_number) and not is_private_creator(tag_number):
        return random.choice(("LO", "DA", "UN", "OB", "UI", "US"))
    known = implicit_vr(tag_number)
    return known if known != "SQ" else "UN"


@dataclass(frozen=True, slots=True)
class Inside:
    """Where an element is drawn.

    Attributes:
        levels: how many levels of sequences there may be below.
        character_set: of the dataset.
        implicit: the dataset is in Implicit VR, so that the tag alone says what an element is.
    """

    levels: int
    character_set: CharacterSet
    implicit: bool


def element(random: Random, inside: Inside) -> Element:
    """An element at any tag of the vocabulary."""
    kind = random.randrange(16)
    if kind < 7:
        tag_number = random.choice(LEAVES)
    elif kind < 11:
        tag_number = random.choice(GROUPS) << 16 | random.choice(IN_GROUP)
    elif kind < 15:
        tag_number = random.choice(SEQUENCES)
    else:
        tag_number = random.choice((*UNUSUAL, CHARACTER_SET, PIXEL_DATA))
    if tag_number == CHARACTER_SET:
        return Leaf(tag_number, "CS", random.choice((*ALL, DEFAULT)).value)
    if is_private_creator(tag_number) and not seldom(random, 8):
        return leaf(tag_number, random.choice(CREATORS), "LO")
    return element_at(random, tag_number, inside)


def element_at(random: Random, tag_number: int, inside: Inside) -> Element:
    """A leaf, a sequence or fragments at a tag."""
    known = implicit_vr(tag_number)
    may_hold_items = known == "UN" or not inside.implicit
    is_sequence = known == "SQ" or (is_private(tag_number) and may_hold_items and seldom(random, 4))
    if not inside.implicit and seldom(random, 16):
        is_sequence = not is_sequence
    if is_sequence:
        return items(random, tag_number, inside)
    holds_bytes = known in ("OB", "OW") if inside.implicit else seldom(random, 24) or tag_number == PIXEL_DATA
    if holds_bytes and seldom(random, 2):
        fragments = (padded("OB", random.randbytes(random.randrange(6))) for _ in range(random.randrange(3)))
        return Fragments(tag_number, tuple(fragments))
    if seldom(random, 48):
        return Leaf(tag_number, random.choice(("UT", "OB", "UN")), bytes(random.choice(LONG_SIZES)))
    vr = vr_of(random, tag_number)
    return Leaf(tag_number, vr, value(random, vr, inside.character_set))


def items(random: Random, tag_number: int, inside: Inside) -> Items:
    """A sequence of any style."""
    undefined, unknown = seldom(random, 3), seldom(random, 4)
    implicit = inside.implicit or unknown
    made = []
    for _ in range(random.randrange(3) if inside.levels > 0 else 0):
        mine = random.choice(ALL) if seldom(random, 6) else inside.character_set
        found = elements(random, Inside(inside.levels - 1, mine, implicit))
        if mine is not inside.character_set:
            found = in_order([Leaf(CHARACTER_SET, "CS", mine.value), *found])
        made.append(Item(found, seldom(random, 3)))
    return Items(tag_number, tuple(made), undefined, unknown)


def elements(random: Random, inside: Inside) -> tuple[Element, ...]:
    """The elements of a dataset, in ascending order of tags, some of them private blocks."""
    found = [element(random, inside) for _ in range(random.randrange(9))]
    if seldom(random, 3):
        found = [*block(random, inside), *found]
    return in_order(found)


def block(random: Random, inside: Inside) -> list[Element]:
    """Two private creators of one group with some elements each."""
    group = random.choice(GROUPS) << 16
    made: list[Element] = [leaf(group | 0x10 + i, random.choice(CREATORS), "LO") for i in range(2)]
    places = random.sample((0x1001, 0x1027, 0x1101, 0x1110, 0x1127), random.randrange(4))
    return [*made, *(element_at(random, group | place, inside) for place in places)]


def in_order(found: Sequence[Element]) -> tuple[Element, ...]:
    """One element per tag, ascending; the first of equal ones."""
    unique: dict[int, Element] = {}
    for one in found:
        unique.setdefault(one.tag, one)
    return tuple(unique[number] for number in sorted(unique))


def specimen(random: Random, syntax: str = "") -> Specimen:
    """A whole instance, little endian in a given or any syntax; seldom without what identifies it."""
    syntax = syntax or random.choice((EXPLICIT, EXPLICIT, IMPLICIT, JPEG_2000, DEFLATED))
    character_set = random.choice((DEFAULT, DEFAULT, *ALL))
    named: list[Element] = [] if character_set is DEFAULT else [Leaf(CHARACTER_SET, "CS", character_set.value)]
    for name in IDENTITY:
        if seldom(random, 40):
            continue
        words = {"SOPClassUID": SOP_CLASSES, "PatientID": ("PAT-1", "PAT-2", "PAT\\1")}.get(name, UIDS[:4])
        model = leaf(name, random.choice(words))
        vr = random.choice(("UN", "LO", "PN", "UT")) if seldom(random, 40) else model.vr
        named.append(Leaf(model.tag, vr, model.value))
    body = in_order([*named, *elements(random, Inside(3, character_set, syntax == IMPLICIT))])
    return Specimen(body, syntax, reserved=random.choice((0, 0, 0, 0x0100)))


def damaged(random: Random, data: bytes, first: int = 0) -> bytes:
    """Encoded bytes with something wrong: cut short, or with bytes changed, taken out or put in.

    Args:
        random: what to draw with.
        data: at least one byte longer than `first`.
        first: where damage may begin.
    """
    place = random.randrange(first, len(data) + 1)
    if seldom(random, 4):
        return data[:place]
    for _ in range(random.randint(1, 3)):
        place = random.randrange(first, len(data) + 1)
        new = random.choice((random.randbytes(random.randrange(5)), *MARKS))
        data = data[:place] + new + data[place + random.choice((0, len(new), len(new), 1)) :]
    return data


# What readers take for something else than a value: delimiters, lengths, headers.
MARKS = (
    b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0", b"\xff\xff\xff\xff", b"\0\0\0\0",
    b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\1\0", b"SQ\0\0", b"UN\0\0", b"OB\0\0", b"\xfe\xff\xff\xff",
)  # fmt: skip


# --- expressions ----------------------------------------------------------------------------

MAYBE_STR = Type(Kind.STR, nullable=True)
PATTERNS = ("[A-Z]+", "(D)(O)E.*", "", ".*\\d.*", "CT|MR", "\\^")
ORDER = (BinaryOperator.LESS, BinaryOperator.LESS_OR_EQUAL, BinaryOperator.GREATER, BinaryOperator.GREATER_OR_EQUAL)
EQUALITY = (BinaryOperator.EQUAL, BinaryOperator.NOT_EQUAL)
ARITHMETIC = (
    BinaryOperator.ADD,
    BinaryOperator.SUBTRACT,
    BinaryOperator.MULTIPLY,
    BinaryOperator.DIVIDE,
    BinaryOperator.REMAINDER,
)
THIS = Current(CurrentName.STRING_VALUE, MAYBE_STR)


class Expressions:
    """Draws typed trees, as the checker of the front end makes them.

    Args:
        random: what to draw with.
        in_element: they may speak of the current element.
    """

    def __init__(self, random: Random, *, in_element: bool) -> None:
        self.random = random
        self.in_element = in_element

    def one_of(self, depth: int, leaves: Sequence[Callable[[], T]], deeper: Sequence[Callable[[], T]]) -> T:
        chosen = [*leaves, *deeper] if depth > 0 else leaves
        return self.random.choice(chosen)()

    def any_tag(self) -> Literal:
        privates = [group << 16 | place for group in GROUPS for place in (0x0010, 0x1001)]
        identity = [tag_of(name) for name in IDENTITY]
        return tag(self.random.choice((*identity, *LEAVES, *SEQUENCES, *privates, CHARACTER_SET)))

    def word(self) -> Literal:
        return text(self.random.choice(SHORT_TEXTS))

    def boolean(self, depth: int) -> Expression:
        """Bool, never null."""
        random, less = self.random, depth - 1
        asked = ("tagValueIsPresent", "tagValueContains", "tagValueBeginsWith", "tagValueEndsWith")
        leaves: list[Callable[[], Expression]] = [
            lambda: call(random.choice(asked), self.any_tag(), self.word()),
            lambda: call(random.choice(("tagIsPresent", "tagHasValue", "tagIsPresentAnywhere")), self.any_tag()),
            lambda: call("tagValueIn", self.any_tag(), self.word(), self.word()),
            lambda: call("tagValueMatches", self.any_tag(), text(random.choice(PATTERNS))),
            lambda: Literal(random.choice((True, False)), BOOL),
        ]
        if self.in_element:
            leaves += [
                lambda: Binary(BinaryOperator.EQUAL, Current(CurrentName.VR, VR), self.any_vr(), BOOL),
                lambda: Binary(random.choice(EQUALITY), Current(CurrentName.TAG, TAG), self.any_tag(), BOOL),
            ]
        deeper: list[Callable[[], Expression]] = [
            lambda: Binary(
                random.choice((BinaryOperator.AND, BinaryOperator.OR)), self.boolean(less), self.boolean(less), BOOL
            ),
            lambda: Unary(UnaryOperator.NOT, self.boolean(less), BOOL),
            lambda: Binary(random.choice(EQUALITY), self.maybe(less), Literal(None, NULL), BOOL),
            lambda: Binary(random.choice(EQUALITY), self.maybe(less), self.maybe(less), BOOL),
            lambda: Binary(random.choice(EQUALITY), self.maybe_boolean(less), self.maybe_boolean(less), BOOL),
            lambda: Binary(random.choice(EQUALITY), self.boolean(less), self.maybe_boolean(less), BOOL),
            lambda: Binary(random.choice(ORDER), self.maybe(less), self.string(less), BOOL),
            lambda: Binary(random.choice(ORDER), self.maybe_number(), self.whole(less), BOOL),
            lambda: Binary(BinaryOperator.MATCHES, self.maybe(less), text(random.choice(PATTERNS)), BOOL),
            lambda: Elvis(self.maybe_boolean(less), self.boolean(less), BOOL),
            lambda: Conditional(self.boolean(less), self.boolean(less), self.boolean(less), BOOL),
            lambda: method(self.string(less), "isEmpty"),
            lambda: method(self.string(less), "equalsIgnoreCase", self.maybe(less)),
        ]
        return self.one_of(depth, leaves, deeper)

    def any_vr(self) -> Literal:
        return Literal(self.random.choice(("DA", "PN", "LO", "UI", "SQ", "US", "UN", "CS")), VR)

    def maybe_boolean(self, depth: int) -> Expression:
        """Bool or null."""
        receiver = self.maybe(depth - 1)
        name = self.random.choice(("isEmpty", "contains", "startsWith", "equals", "matches"))
        arguments = {"isEmpty": [], "matches": [text(self.random.choice(PATTERNS))]}.get(name, [self.word()])
        return method(receiver, name, *arguments)

    def maybe_number(self) -> Expression:
        """Int or Number, or null."""
        return call(self.random.choice(("getInt", "getNumber")), self.any_tag())

    def maybe(self, depth: int) -> Expression:
        """Str or null."""
        random, less = self.random, depth - 1
        leaves: list[Callable[[], Expression]] = [lambda: call("getString", self.any_tag())]
        if self.in_element:
            leaves += [lambda: THIS, lambda: THIS]
        deeper: list[Callable[[], Expression]] = [
            lambda: method(self.maybe(less), random.choice(("toUpperCase", "toLowerCase", "trim"))),
            lambda: method(self.maybe(less), "concat", self.string(less)),
            lambda: method(self.maybe(less), "replace", text("D"), self.word()),
            lambda: method(self.maybe(less), "substring", number(random.randrange(4))),
            lambda: method(self.maybe(less), "charAt", number(random.randrange(3))),
            lambda: method(self.maybe(less), "replaceAll", text("(D)(O)E.*"), text(random.choice(("", "$1", "$2x")))),
            lambda: Conditional(self.boolean(less), self.maybe(less), self.string(less), MAYBE_STR),
            lambda: Conditional(self.boolean(less), Literal(None, NULL), self.string(less), MAYBE_STR),
        ]
        return self.one_of(depth, leaves, deeper)

    def string(self, depth: int) -> Expression:
        """Str, never null."""
        random, less = self.random, depth - 1
        deeper: list[Callable[[], Expression]] = [
            lambda: Binary(BinaryOperator.ADD, self.string(less), self.maybe(less), STR),
            lambda: Binary(BinaryOperator.ADD, self.string(less), self.whole(less), STR),
            lambda: Elvis(self.maybe(less), self.string(less), STR),
            lambda: Conditional(self.boolean(less), self.string(less), self.string(less), STR),
            lambda: method(self.string(less), random.choice(("toUpperCase", "toLowerCase", "trim"))),
            lambda: method(self.string(less), "substring", number(0), number(random.randrange(3))),
            lambda: Index(method(self.string(less), "split", text("\\^")), number(random.randrange(2)), STR),
        ]
        return self.one_of(depth, [self.word, self.word, self.foreign], deeper)

    def foreign(self) -> Literal:
        return text(self.random.choice(("B\u00e9", "\u041b", "\u5c71", "\N{SNOWMAN}", "~", "a\\b", "A" * 70)))

    def whole(self, depth: int) -> Expression:
        """Int, never null; some divide by zero."""
        random, less = self.random, depth - 1
        leaves: list[Callable[[], Expression]] = [
            lambda: number(random.choice((0, 1, 7, -30, 400))),
            lambda: call("count", self.any_tag()),
        ]
        deeper: list[Callable[[], Expression]] = [
            lambda: Elvis(call("getInt", self.any_tag()), self.whole(less), INT),
            lambda: method(self.string(less), "length"),
            lambda: method(self.string(less), "indexOf", self.word()),
            lambda: Binary(random.choice(ARITHMETIC), self.whole(less), self.whole(less), INT),
            lambda: Unary(UnaryOperator.NEGATE, self.whole(less), INT),
        ]
        return self.one_of(depth, leaves, deeper)

    def decision(self, depth: int) -> Expression:
        """Action or null."""
        random, less = self.random, depth - 1
        leaves: list[Callable[[], Expression]] = [
            lambda: call(random.choice(("Keep", "Remove", "ReplaceNull", "UID"))),
            lambda: call(random.choice(("Keep", "Remove", "ReplaceNull", "UID"))),
            lambda: call("Replace", self.maybe(1)),
            lambda: call("Replace", self.string(1)),
            lambda: call("Replace", Literal(None, NULL)),
            lambda: call("ShiftDate", self.whole(0), self.whole(0)),
            self.addition,
            lambda: Literal(None, NULL),
            lambda: call(random.choice(("ComputePatientAge", "ComputePatientAge", "ExcludeInstance"))),
        ]
        deeper: list[Callable[[], Expression]] = [
            lambda: self.choice(self.boolean(less), self.decision(less), self.decision(less)),
            lambda: self.choice(self.boolean(less), self.decision(less), self.decision(less)),
            lambda: self.choice(self.boolean(1), self.decision(less), Literal(None, NULL)),
            lambda: Elvis(self.decision(less), self.decision(less), Type(Kind.ACTION, nullable=True)),
        ]
        return self.one_of(depth, leaves, [*deeper, *deeper])

    def choice(self, test: Expression, then: Expression, otherwise: Expression) -> Conditional:
        nullable = then.type.nullable or otherwise.type.nullable
        kind = NULL if then.type == otherwise.type == NULL else Type(Kind.ACTION, nullable)
        return Conditional(test, then, otherwise, kind)

    def addition(self) -> Expression:
        number_of, vr, new = self.random.choice(ADDITIONS)
        return call("Add", tag(number_of), Literal(vr, VR), text(new))


# What rules and expressions add: a tag, its VR, a text.
ADDITIONS = (
    (0x00104000, "LT", "added"),
    (0x00120085, "LO", ""),
    (0x00280010, "US", "7"),
    (0x00201208, "IS", "12"),
    (0x00280011, "US", "seven"),
    (0x00080022, "DA", "20200101"),
    (0x00080005, "CS", "ISO_IR 100"),
    (0x0020000D, "UI", "1.2.3"),
    (0x00080018, "UI", "1.2.3"),
    (0x00100010, "PN", "B\u00e9"),
    (0x00120063, "LO", "x"),
    (0x00091101, "LO", "new"),
    (0x00090010, "LO", "OTHER"),
    (0x00291001, "LO", "new"),
)
assert {"Add", "Replace", "ShiftDate"} <= set(FUNCTIONS)
assert (ACTION.kind, LIST.kind, NUMBER.kind) == (Kind.ACTION, Kind.LIST, Kind.NUMBER)


# --- profiles -------------------------------------------------------------------------------


def term(random: Random) -> SelectorTerm:
    """What `tags` and `excludedTags` may list."""
    match random.randrange(12):
        case 10 | 11:
            return TagPath((*(step(random) for _ in range(random.randint(1, 2))), simple_term(random)))
        case _:
            return simple_term(random)


def step(random: Random) -> Term:
    if seldom(random, 4):
        mine = PrivateElement(GROUPS[0], CREATORS[0], 0x01)
        return random.choice((EVERY_TAG, mine, TagPattern(0x00080000, 0xFFFF0000)))
    return TagPattern(random.choice(SEQUENCES), FULL_MASK)


def simple_term(random: Random) -> Term:
    kind = random.randrange(16)
    if kind == 15:
        mask = random.choice((0xFF, 0xFF, 0x00))
        low = random.choice((0x00, 0x01, 0x10, 0x27))
        return PrivateElement(random.choice(GROUPS), random.choice(CREATORS[:3]), low & mask, mask)
    if kind in (12, 13):
        mask = random.choice((0xFFFF0000, 0xFF00FFFF, 0xFFFFFF00, 0xFFFF00FF, 0x0000FFFF, 0x00010000))
        return TagPattern(any_tag(random) & mask, mask)
    if kind == 14:
        return EVERY_TAG
    return TagPattern(any_tag(random), FULL_MASK)


def any_tag(random: Random) -> int:
    privates = [group << 16 | place for group in GROUPS for place in IN_GROUP]
    identity = [tag_of(name) for name in IDENTITY]
    return random.choice((*LEAVES, *LEAVES, *SEQUENCES, *privates, *identity, *identity, *UNUSUAL, CHARACTER_SET))


def selector(random: Random, vrs: frozenset[str] = frozenset()) -> Selector:
    include = tuple(term(random) for _ in range(random.randint(1, 3)))
    exclude = tuple(term(random) for _ in range(random.choice((0, 0, 1, 2))))
    return Selector(include, exclude, vrs, seldom(random, 8))


def effect(random: Random) -> Effect:
    """What a rule does, of every kind that needs neither pixels nor a network."""
    match random.randrange(11):
        case 0 | 1 | 2:
            return Apply(random.choice(tuple(Action)))
        case 3 | 4 | 5:
            return Evaluate(Expressions(random, in_element=True).decision(random.randint(0, 3)))
        case 6:
            return date_effect(random)
        case 7:
            number_of, vr, new = random.choice(ADDITIONS)
            return AddElement(number_of, vr, new)
        case 8:
            place = random.choice((0x1105, 0x1001, 0xFF01))
            made = random.choice((("LO", "x"), ("US", "7"), ("DA", "20200101"), ("US", "x")))
            group = random.choice((*GROUPS, 0x0029))
            return AddPrivateElement(group << 16 | place, *made, random.choice(CREATORS) or None)
        case _:
            options = frozenset(random.sample(tuple(Option), random.choice((0, 0, 1, 2))))
            both = {Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES}
            return BasicProfile(options if not options >= both else frozenset())


def date_effect(random: Random) -> Effect:
    sources = (0x00200011, 0x00200013, None)
    match random.randrange(4):
        case 0:
            return Shift(random.choice((0, 1, 30, -400)), random.choice((0, 1, 86399, -90000)))
        case 1:
            return ShiftRange(random.choice((0, 5)), random.choice((10, 365)), 0, random.choice((1, 86400)))
        case 2:
            return ShiftByTag(random.choice(sources[:2]), random.choice(sources))
        case _:
            return TruncateDate(random.choice(tuple(DatePart)))


def rule(random: Random, line: int) -> Rule:
    made = effect(random)
    match made:
        case Shift() | ShiftRange() | ShiftByTag() | TruncateDate():
            chosen = selector(random, DATE_VRS)
        case BasicProfile():
            chosen = Selector((EVERY_TAG,))
        case AddElement() | AddPrivateElement():
            chosen = NOTHING
        case _:
            chosen = selector(random)
    guard = Expressions(random, in_element=False).boolean(random.randint(0, 2)) if seldom(random, 3) else None
    name = random.choice(("first", "second", "third"))
    return Rule(name, "generated", chosen, made, guard, Span("", line, 1, line, 2))


def private_rule(random: Random, line: int) -> Rule:
    """A rule that speaks of private elements mostly, by their creators and their tags."""
    made = rule(random, line)
    if made.selector == NOTHING or isinstance(made.effect, BasicProfile):
        return made
    include = (*(private_term(random) for _ in range(random.randint(1, 2))), *made.selector.include[1:])
    return replace(made, selector=replace(made.selector, include=include))


def asking_rule(random: Random, line: int) -> Rule:
    """A rule whose answer depends on values, about elements from whose fate that of others follows."""
    draw = Expressions(random, in_element=True)
    known = ("PatientID", "StudyInstanceUID", "SOPClassUID")
    source = tag(tag_of(random.choice(known)) if seldom(random, 2) else random.choice(LEAVES))
    compared = Binary(random.choice(EQUALITY), THIS, draw.word(), BOOL)
    match random.randrange(6):
        case 0:
            made: Expression = call("Replace", call("getString", source))
        case 1:
            days = Elvis(call("getInt", tag(random.choice((0x00200011, 0x00200013)))), number(400), INT)
            made = call("ShiftDate", days, call("count", source))
        case 2:
            made = call("ComputePatientAge")
        case 3 | 4:
            made = draw.choice(compared, call(random.choice(("Remove", "Keep"))), draw.decision(0))
        case _:
            made = draw.decision(2)
    if seldom(random, 3):
        made = draw.choice(compared, made, Literal(None, NULL))
    terms: tuple[Term, ...] = (
        TagPattern(random.choice(SEQUENCES), FULL_MASK),
        TagPattern(random.choice(SEQUENCES), FULL_MASK),
        private_term(random),
        TagPattern(0x00010000, 0x00010000),
        TagPattern(CHARACTER_SET, FULL_MASK),
        EVERY_TAG,
    )
    chosen = Selector(tuple(random.sample(terms, random.randint(1, 2))))
    return Rule("asking", "generated", chosen, Evaluate(made), None, Span("", line, 1, line, 2))


def private_term(random: Random) -> Term:
    group = random.choice(GROUPS)
    match random.randrange(4):
        case 0:
            return TagPattern(group << 16 | random.choice(IN_GROUP), FULL_MASK)
        case 1:
            return TagPattern(group << 16, 0xFFFF0000)
        case _:
            low = random.choice((0x01, 0x10, 0x27))
            return PrivateElement(group, random.choice(CREATORS[:3]), low)


def profile(random: Random, draw_rule: Callable[[Random, int], Rule] = rule) -> Profile:
    """A checked profile of 1 to 6 rules; at most one of them is the basic profile."""
    rules: list[Rule] = []
    for line in range(1, 1 + random.randint(1, 6)):
        made = draw_rule(random, line)
        if not (isinstance(made.effect, BasicProfile) and any(isinstance(r.effect, BasicProfile) for r in rules)):
            rules.append(made)
    return Profile("Generated", "1", "", "", tuple(rules))
