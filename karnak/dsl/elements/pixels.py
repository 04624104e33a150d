"""clean.pixel.data: regions of the image are filled."""

from karnak.dsl.elements.reader import ElementReader, Meaning
from karnak.ir.profile import CleanPixelData


def clean_pixel_data(reader: ElementReader) -> Meaning | None:
    """Regions are filled: those of the profile's masks, or those that a service finds."""
    text = reader.arguments({"automaticMasksGeneration"}).get("automaticMasksGeneration")
    automatic = False
    if text is not None:
        if text.boolean is None:
            reader.choice(text, "automaticMasksGeneration", ("true", "false"))
            return None
        automatic = text.boolean
    if not automatic and not reader.has_masks:
        reader.findings.add(
            "K501", "there are no masks to clean the pixels with", reader.place, "write masks: at the end"
        )
        return None
    return Meaning(CleanPixelData(automatic))
