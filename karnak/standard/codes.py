"""Coded concepts that Karnak writes: PS3.16 CID 7050, De-identification Method.

Source: PS3.16 CID 7050, as in pydicom 3.0.2.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from karnak.standard.confidentiality import Option


class Code(NamedTuple):
    """A coded concept.

    Attributes:
        value: CodeValue (0008,0100).
        scheme: CodingSchemeDesignator (0008,0102).
        meaning: CodeMeaning (0008,0104).
    """

    value: str
    scheme: str
    meaning: str


BASIC_PROFILE = Code("113100", "DCM", "Basic Application Confidentiality Profile")
CLEAN_PIXEL_DATA = Code("113101", "DCM", "Clean Pixel Data Option")
CLEAN_RECOGNIZABLE_VISUAL_FEATURES = Code("113102", "DCM", "Clean Recognizable Visual Features Option")
CLEAN_GRAPHICS = Code("113103", "DCM", "Clean Graphics Option")
CLEAN_STRUCTURED_CONTENT = Code("113104", "DCM", "Clean Structured Content Option")
CLEAN_DESCRIPTORS = Code("113105", "DCM", "Clean Descriptors Option")
RETAIN_FULL_DATES = Code("113106", "DCM", "Retain Longitudinal Temporal Information Full Dates Option")
RETAIN_MODIFIED_DATES = Code("113107", "DCM", "Retain Longitudinal Temporal Information Modified Dates Option")
RETAIN_PATIENT_CHARACTERISTICS = Code("113108", "DCM", "Retain Patient Characteristics Option")
RETAIN_DEVICE_IDENTITY = Code("113109", "DCM", "Retain Device Identity Option")
RETAIN_UIDS = Code("113110", "DCM", "Retain UIDs Option")
RETAIN_SAFE_PRIVATE = Code("113111", "DCM", "Retain Safe Private Option")
RETAIN_INSTITUTION_IDENTITY = Code("113112", "DCM", "Retain Institution Identity Option")

# By code value, in the order of CID 7050.
DEIDENTIFICATION_METHODS: Mapping[str, Code] = MappingProxyType(
    {
        code.value: code
        for code in (
            BASIC_PROFILE,
            CLEAN_PIXEL_DATA,
            CLEAN_RECOGNIZABLE_VISUAL_FEATURES,
            CLEAN_GRAPHICS,
            CLEAN_STRUCTURED_CONTENT,
            CLEAN_DESCRIPTORS,
            RETAIN_FULL_DATES,
            RETAIN_MODIFIED_DATES,
            RETAIN_PATIENT_CHARACTERISTICS,
            RETAIN_DEVICE_IDENTITY,
            RETAIN_UIDS,
            RETAIN_SAFE_PRIVATE,
            RETAIN_INSTITUTION_IDENTITY,
        )
    }
)

OPTION_CODES: Mapping[Option, Code] = MappingProxyType(
    {
        Option.RETAIN_SAFE_PRIVATE: RETAIN_SAFE_PRIVATE,
        Option.RETAIN_UIDS: RETAIN_UIDS,
        Option.RETAIN_DEVICE_IDENTITY: RETAIN_DEVICE_IDENTITY,
        Option.RETAIN_INSTITUTION_IDENTITY: RETAIN_INSTITUTION_IDENTITY,
        Option.RETAIN_PATIENT_CHARACTERISTICS: RETAIN_PATIENT_CHARACTERISTICS,
        Option.RETAIN_FULL_DATES: RETAIN_FULL_DATES,
        Option.RETAIN_MODIFIED_DATES: RETAIN_MODIFIED_DATES,
        Option.CLEAN_DESCRIPTORS: CLEAN_DESCRIPTORS,
        Option.CLEAN_STRUCTURED_CONTENT: CLEAN_STRUCTURED_CONTENT,
        Option.CLEAN_GRAPHICS: CLEAN_GRAPHICS,
    }
)
