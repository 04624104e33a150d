"""Walking expression trees: their parts, the same tree with other parts, and what is in them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from karnak.ir.expression import (
    BOOL,
    Binary,
    Call,
    Conditional,
    Current,
    Elvis,
    Expression,
    Index,
    Literal,
    MethodCall,
    Unary,
)
from karnak.ir.span import NOWHERE

# Functions that read nothing of the instance: they only say what to do with an element.
DECIDING = frozenset({"Keep", "Remove", "Replace", "ReplaceNull", "UID", "ExcludeInstance", "Add", "ShiftDate"})


def parts(node: Expression) -> list[Expression]:
    """The expressions that a node is made of, in the order in which they are asked."""
    match node:
        case Literal() | Current():
            return []
        case Call(arguments=arguments):
            return list(arguments)
        case MethodCall(receiver=receiver, arguments=arguments):
            return [receiver, *arguments]
        case Unary(operand=operand):
            return [operand]
        case Binary(left=left, right=right):
            return [left, right]
        case Conditional(test, then, otherwise):
            return [test, then, otherwise]
        case Elvis(value, default):
            return [value, default]
        case Index(value, index):
            return [value, index]


def with_parts(node: Expression, new: Sequence[Expression]) -> Expression:
    """The same node made of other expressions.

    Args:
        node: the node; it is not changed.
        new: as many expressions as `parts` gives, in its order.
    """
    match node:
        case Literal() | Current():
            return node
        case Call():
            return replace(node, arguments=tuple(new))
        case MethodCall():
            return replace(node, receiver=new[0], arguments=tuple(new[1:]))
        case Unary():
            return replace(node, operand=new[0])
        case Binary():
            return replace(node, left=new[0], right=new[1])
        case Conditional():
            return replace(node, test=new[0], then=new[1], otherwise=new[2])
        case Elvis():
            return replace(node, value=new[0], default=new[1])
        case Index():
            return replace(node, value=new[0], index=new[1])


def without_spans(expression: Expression) -> Expression:
    """The same tree with every span left out, so that equal text compares equal wherever it stands."""
    return with_parts(replace(expression, span=NOWHERE), [without_spans(part) for part in parts(expression)])


def calls(node: Expression, function: str) -> bool:
    """Tell whether a tree calls a function."""
    return (isinstance(node, Call) and node.function == function) or any(calls(part, function) for part in parts(node))


def conditions_in(expression: Expression) -> Iterator[Expression]:
    """The largest parts of type Bool that read the root dataset and nothing of the current element."""
    if is_condition(expression):
        yield expression
        return
    for part in parts(expression):
        yield from conditions_in(part)


def is_condition(expression: Expression) -> bool:
    """Tell whether a tree is a question about the root dataset alone, answered by true or false and never by null."""
    return expression.type == BOOL and _reads_root(expression) and not _reads_current(expression)


def _reads_root(node: Expression) -> bool:
    reads = isinstance(node, Call) and node.function not in DECIDING
    return reads or any(_reads_root(part) for part in parts(node))


def _reads_current(node: Expression) -> bool:
    return isinstance(node, Current) or any(_reads_current(part) for part in parts(node))
