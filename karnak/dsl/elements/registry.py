"""All element types, by codename. Source: the language page, section 2."""

from collections.abc import Mapping

from karnak.dsl.elements.actions import private_tags, replace_uid, specific_tags
from karnak.dsl.elements.additions import add_private_tag, add_tag
from karnak.dsl.elements.basic import basic
from karnak.dsl.elements.dates import dates
from karnak.dsl.elements.expressions import expression
from karnak.dsl.elements.pixels import clean_pixel_data
from karnak.dsl.elements.reader import ElementReader, ElementType, Meaning
from karnak.dsl.elements.services import replace_from_service
from karnak.ir.profile import CleanRecognizableVisualFeatures

_SELECTS = frozenset({"tags", "excludedTags"})


def _clean_visual_features(_: ElementReader) -> Meaning:
    return Meaning(CleanRecognizableVisualFeatures())


ELEMENT_TYPES: Mapping[str, ElementType] = {
    entry.codename: entry
    for entry in (
        ElementType("basic.dicom.profile", frozenset({"arguments"}), basic, unique=True),
        ElementType("action.on.specific.tags", _SELECTS | {"action"}, specific_tags),
        ElementType("action.on.privatetags", _SELECTS | {"action"}, private_tags),
        ElementType("replace.uid", _SELECTS | {"action"}, replace_uid),
        ElementType("action.on.dates", _SELECTS | {"option", "arguments"}, dates),
        ElementType("expression.on.tags", _SELECTS | {"arguments"}, expression),
        ElementType("action.add.tag", frozenset({"arguments", "tags"}), add_tag),
        ElementType("action.add.private.tag", frozenset({"arguments", "tags"}), add_private_tag),
        ElementType("action.replace.api", _SELECTS | {"arguments"}, replace_from_service, runs=False),
        ElementType("clean.pixel.data", frozenset({"arguments"}), clean_pixel_data, unique=True, runs=False),
        ElementType("clean.recognizable.visual.features", frozenset(), _clean_visual_features, unique=True, runs=False),
    )
}
