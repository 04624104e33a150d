"""expression.on.tags: an expression decides, element by element."""

from karnak.dsl.check import Place, check_expression
from karnak.dsl.elements.reader import ElementReader, Meaning
from karnak.ir.profile import Evaluate


def expression(reader: ElementReader) -> Meaning | None:
    """The argument expr gives an action or null; what the condition has shown is known to it."""
    selector = reader.selector(needed=True)
    text = reader.arguments({"expr"}).get("expr")
    if text is None:
        reader.argument_missing("expr")
        return None
    found = check_expression(text, reader.findings, Place.ELEMENT, reader.facts)
    return None if found is None else Meaning(Evaluate(found), selector)
