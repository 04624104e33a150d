"""The register of codes: every kind of finding of the front end, with its name, severity and explanation.

A code never changes its meaning and is never used again for another one. The rules of
`karnak.dsl.lint` have codes of their own, K110 to K149; `karnak.dsl.lint.ALL_CODES` has both.
"""

from dataclasses import dataclass

from karnak.dsl.diagnostics import Severity


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding.

    Attributes:
        code: "K" and three digits.
        name: what people call it.
        severity: how much it matters.
        explanation: what it means, why it matters, what to do.
    """

    code: str
    name: str
    severity: Severity
    explanation: str


def _error(code: str, name: str, explanation: str) -> Code:
    return Code(code, name, Severity.ERROR, explanation)


def _warning(code: str, name: str, explanation: str) -> Code:
    return Code(code, name, Severity.WARNING, explanation)


_TEXT = (
    _error("K001", "unreadable-file", "The file can't be opened or read. Check its name and its permissions."),
    _error("K002", "not-utf8", "Profiles are UTF-8 text. Save the file as UTF-8 in your editor."),
    _error("K003", "forbidden-character", "A control character that YAML doesn't allow. Delete it."),
    _error("K004", "too-large", "The text is larger than any profile that makes sense; see the limits in the manual."),
    _error("K005", "too-deep", "Lists and mappings are nested deeper than any profile needs."),
    _error("K006", "empty-file", "There is nothing in the file."),
    _error(
        "K007", "yaml-syntax", "The text isn't YAML at this place: a colon, comma, bracket or indentation is wrong."
    ),
    _error("K008", "tab-indentation", "YAML is indented with spaces; a tab stands where a space must."),
    _error("K009", "unclosed-quote", "A quoted text begins here and doesn't end."),
    _error(
        "K010", "duplicate-key", "The same key stands twice in one mapping, so one of the two values would be lost."
    ),
    _error("K011", "bad-key", "A key must be a plain word."),
    _error(
        "K012",
        "unknown-alias",
        "`*name` repeats what `&name` marked before; there is no such mark, or it is still open.",
    ),
    _error("K013", "too-many-nodes", "The text, with its aliases written out, has too many parts."),
    _error("K014", "yaml-tag", "`!tags` ask a YAML reader to build objects; profiles are plain text and lists."),
    _error("K015", "several-documents", "`---` starts a second document; a file holds one."),
    _error("K016", "too-many-findings", "There are more findings than can be shown. Repair these first."),
    _error(
        "K017",
        "bad-escape",
        "In double quotes a backslash starts an escape such as \\n. Write it twice, or use single quotes.",
    ),
)

_SHAPE = (
    _error("K101", "unknown-key", "The language has no such key here."),
    _error("K102", "missing-key", "Something is missing that this element can't do without."),
    _error("K103", "wrong-shape", "A text, a list or a mapping is expected and something else stands here."),
    _error("K104", "unknown-codename", "The language has no element of this type."),
    _error("K105", "duplicate-element", "This type of element can stand once in a profile."),
    _warning("K106", "unused-key", "This type of element doesn't read this key: it has no effect."),
    _error("K107", "malformed-version", "minimumKarnakVersion is two to four numbers with points, such as 0.9.2."),
    _error(
        "K108", "newer-karnak-needed", "The profile asks for a newer version of the language than this program knows."
    ),
    _error("K109", "no-elements", "The list of profile elements is empty: the profile would change nothing."),
)

_SELECTORS = (
    _error("K201", "malformed-tag", "A tag is eight hexadecimal digits, four for the group and four for the element."),
    _error("K202", "bad-tag-digit", "The digits of a tag are 0 to 9 and A to F, or X for any digit."),
    _error("K203", "unknown-tag-keyword", "There is no attribute with this keyword in DICOM PS3.6."),
    _warning("K204", "unknown-tag", "There is no attribute with this number in DICOM PS3.6: a typing error?"),
    _error(
        "K205",
        "malformed-private-element",
        'A private element by its creator is (gggg,"CREATOR",ee): an odd group, the creator, the last two digits.',
    ),
    _error("K206", "malformed-path", "A path is two selectors or more with / between them, sequences first."),
    _error("K207", "not-one-tag", "One exact tag is needed here: no pattern, no path, no private creator."),
    _warning("K208", "never-private", "This element looks at private (odd) groups only; the selector has none."),
    _warning("K209", "never-a-date", "This element looks at AS, DA, DT and TM only; the attribute is something else."),
    _warning("K210", "never-a-uid", "A new UID is put into an attribute that doesn't hold UIDs."),
    _warning("K211", "repeated-tag", "The same selector stands twice in one list."),
)

_EXPRESSIONS = (
    _error("K301", "expression-syntax", "The expression can't be read at this place."),
    _error("K302", "unbalanced-bracket", "A bracket is opened and not closed, or closed and not opened."),
    _error("K303", "unclosed-text", "A text in an expression begins with a quote and doesn't end."),
    _error("K304", "too-complex", "The expression is longer or nested deeper than any rule needs."),
    _error("K305", "unknown-function", "The language has no such function."),
    _error("K306", "unknown-method", "Texts have no such method."),
    _error("K307", "unknown-name", "The names are tag, vr and stringValue; texts stand in quotes."),
    _error("K308", "unknown-vr", "There is no such value representation in DICOM PS3.5."),
    _error("K309", "wrong-argument-count", "The function takes another number of arguments."),
    _error("K310", "wrong-type", "The value has another type than the one needed here."),
    _error("K311", "wrong-result", "The expression gives another type than its place needs."),
    _error(
        "K312",
        "may-be-null",
        "The value is absent from some instances. Ask `!= null` first, write `?.`, or give a default with `?:`.",
    ),
    _error("K313", "never-equal", "The two sides have different types, so the comparison would never hold."),
    _error("K314", "not-available-here", "The function or name exists, but not in this place."),
    _error(
        "K315",
        "forbidden-construct",
        "Expressions reach their own functions and nothing else: no classes, constructors, beans or assignments.",
    ),
    _error("K316", "bad-pattern", "The regular expression isn't one in RE2's syntax."),
    _error("K317", "pattern-not-constant", "A regular expression is fixed text, so that it can be checked beforehand."),
    _error("K318", "tag-not-constant", "A tag is fixed: #Tag.Keyword, or a text such as '0010,0010'."),
    _error("K319", "malformed-placeholder", "A {{ placeholder }} isn't closed."),
    _error("K320", "empty-expression", "There is nothing to evaluate."),
    _warning(
        "K321", "null-in-text", "The value may be absent; nothing is added then (Java Karnak writes the word null)."
    ),
    _warning("K322", "constant-condition", "The condition gives the same answer for every instance."),
    _error("K323", "index-out-of-range", "Positions in texts and lists count from 0 and are never negative."),
)

_VALUES = (
    _error("K401", "missing-argument", "The element needs this argument."),
    _error("K402", "unknown-argument", "The element has no such argument."),
    _error("K403", "unknown-action", "The actions are K, X, Z, D, U and DDum, in exactly these letters."),
    _error("K404", "unknown-option", "The element has no such option."),
    _error("K405", "not-an-integer", "A whole number is needed here."),
    _error("K406", "empty-range", "The maximum must be greater than the minimum; the maximum itself is not reached."),
    _error("K407", "range-of-zero", "No date would move: the range holds 0 only."),
    _warning("K408", "zero-shift", "No date would move: both amounts are 0."),
    _error("K409", "unknown-value", "The argument has a fixed list of values."),
    _error("K410", "needs-one-tag", "This element adds one attribute; it needs exactly one tag."),
    _error("K411", "ambiguous-vr", "The attribute has more than one value representation, so it can't be added."),
    _error("K412", "unknown-value-representation", "There is no such value representation in DICOM PS3.5."),
    _error("K413", "illegal-value", "The value isn't legal for its value representation (PS3.5 section 6.2)."),
    _warning("K414", "other-vr", "The dictionary gives the attribute another value representation."),
    _error("K415", "missing-body", "A POST request needs a body."),
    _warning("K416", "unused-argument", "The argument has no effect here."),
    _error("K417", "bad-url", "A URL of a service starts with http:// or https:// and has a host."),
    _error("K418", "bad-response-path", "responsePath is a JSON Pointer (RFC 6901), such as /data/0/value."),
    _error(
        "K419", "bad-private-creator", "A private creator is a text of 1 to 64 characters (VR LO), without backslash."
    ),
    _error("K420", "unknown-attribute", "Only attributes of DICOM PS3.6 can be added here."),
    _error(
        "K421", "not-a-private-element", "A private element is (gggg,xxee): gggg odd and above 0008, xx from 10 to FF."
    ),
)

_MASKS = (
    _error("K501", "masks-missing", "clean.pixel.data needs masks, or automaticMasksGeneration: true."),
    _error("K502", "malformed-rectangle", "A rectangle is four whole numbers x y w h, in pixels, w and h above 0."),
    _error("K503", "malformed-color", "A color is RRGGBB or AARRGGBB in hexadecimal digits."),
    _error("K504", "malformed-size", "imageWidth and imageHeight are whole numbers of pixels, 1 to 65535."),
    _error("K505", "half-a-size", "A size needs imageWidth and imageHeight."),
    _error("K506", "repeated-mask", "There is already a mask for the same station and size."),
    _warning("K507", "unused-masks", "No clean.pixel.data element uses the masks."),
)

_BASIC = (
    _error("K601", "unknown-basic-option", "PS3.15 has no such option of the basic profile."),
    _error("K602", "forbidden-combination", "PS3.15 doesn't allow these two options together."),
    _warning("K603", "repeated-option", "The option stands twice."),
)

_BUILD = (
    _error("K901", "not-in-this-build", "The profile is right, but this build can't run this type of element yet."),
)

CODES: dict[str, Code] = {
    entry.code: entry for entry in (*_TEXT, *_SHAPE, *_SELECTORS, *_EXPRESSIONS, *_VALUES, *_MASKS, *_BASIC, *_BUILD)
}
