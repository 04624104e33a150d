"""The functions and string methods that expressions may call: names and signatures, no behaviour.

The front end checks calls against this table; the back end gives each name its meaning.
Source: the language page, section 4.
"""

from dataclasses import dataclass

from karnak.ir.expression import ACTION, BOOL, INT, LIST, NUMBER, STR, TAG, VR, Type

NULLABLE_STR = Type(STR.kind, nullable=True)
NULLABLE_INT = Type(INT.kind, nullable=True)
NULLABLE_NUMBER = Type(NUMBER.kind, nullable=True)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes and gives.

    Attributes:
        parameters: types in order; a nullable one accepts null.
        result: type of the value.
        required: how many parameters must be given.
        variadic: the last parameter may be repeated.
        elements_only: allowed in `expression.on.tags` only, not in conditions or placeholders.
        pattern: position of the argument that is a regular expression (RE2), or None.
    """

    parameters: tuple[Type, ...]
    result: Type
    required: int
    variadic: bool = False
    elements_only: bool = False
    pattern: int | None = None


def _takes(*parameters: Type, gives: Type, pattern: int | None = None) -> Signature:
    return Signature(parameters, gives, len(parameters), pattern=pattern)


def _acts(*parameters: Type) -> Signature:
    return Signature(parameters, ACTION, len(parameters), elements_only=True)


FUNCTIONS: dict[str, Signature] = {
    "tagValueIsPresent": _takes(TAG, NULLABLE_STR, gives=BOOL),
    "tagValueContains": _takes(TAG, NULLABLE_STR, gives=BOOL),
    "tagValueBeginsWith": _takes(TAG, NULLABLE_STR, gives=BOOL),
    "tagValueEndsWith": _takes(TAG, NULLABLE_STR, gives=BOOL),
    "tagValueIn": Signature((TAG, NULLABLE_STR), BOOL, 2, variadic=True),
    "tagValueMatches": _takes(TAG, STR, gives=BOOL, pattern=1),
    "tagIsPresent": _takes(TAG, gives=BOOL),
    "tagHasValue": _takes(TAG, gives=BOOL),
    "tagIsPresentAnywhere": _takes(TAG, gives=BOOL),
    "count": _takes(TAG, gives=INT),
    "getString": _takes(TAG, gives=NULLABLE_STR),
    "getInt": _takes(TAG, gives=NULLABLE_INT),
    "getNumber": _takes(TAG, gives=NULLABLE_NUMBER),
    "Keep": _acts(),
    "Remove": _acts(),
    "Replace": _acts(NULLABLE_STR),
    "ReplaceNull": _acts(),
    "UID": _acts(),
    "ComputePatientAge": _acts(),
    "ExcludeInstance": _acts(),
    "Add": _acts(TAG, VR, NULLABLE_STR),
    "ShiftDate": _acts(INT, INT),
}

STRING_METHODS: dict[str, Signature] = {
    "contains": _takes(STR, gives=BOOL),
    "startsWith": _takes(STR, gives=BOOL),
    "endsWith": _takes(STR, gives=BOOL),
    "equals": _takes(NULLABLE_STR, gives=BOOL),
    "equalsIgnoreCase": _takes(NULLABLE_STR, gives=BOOL),
    "toUpperCase": _takes(gives=STR),
    "toLowerCase": _takes(gives=STR),
    "trim": _takes(gives=STR),
    "length": _takes(gives=INT),
    "isEmpty": _takes(gives=BOOL),
    "substring": Signature((INT, INT), STR, 1),
    "indexOf": _takes(STR, gives=INT),
    "replace": _takes(STR, STR, gives=STR),
    "replaceAll": _takes(STR, STR, gives=STR, pattern=0),
    "split": _takes(STR, gives=LIST, pattern=0),
    "concat": _takes(STR, gives=STR),
    "matches": _takes(STR, gives=BOOL, pattern=0),
    "charAt": _takes(INT, gives=STR),
}
