"""Coded concepts that Karnak writes: PS3.16 CID 7050, De-identification Method, of coding scheme DCM.

Source: PS3.16 CID 7050, as in pydicom 3.0.2.
"""

from collections.abc import Mapping
from types import MappingProxyType

from karnak.standard.confidentiality import Option

SCHEME = "DCM"

# Code value -> code meaning.
DEIDENTIFICATION_METHODS: Mapping[str, str] = MappingProxyType(
    {
        "113100": "Basic Application Confidentiality Profile",
        "113101": "Clean Pixel Data Option",
        "113102": "Clean Recognizable Visual Features Option",
        "113103": "Clean Graphics Option",
        "113104": "Clean Structured Content Option",
        "113105": "Clean Descriptors Option",
        "113106": "Retain Longitudinal Temporal Information Full Dates Option",
        "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
        "113108": "Retain Patient Characteristics Option",
        "113109": "Retain Device Identity Option",
        "113110": "Retain UIDs Option",
        "113111": "Retain Safe Private Option",
        "113112": "Retain Institution Identity Option",
    }
)

OPTION_CODES: Mapping[Option, str] = MappingProxyType(
    {
        Option.RETAIN_SAFE_PRIVATE: "113111",
        Option.RETAIN_UIDS: "113110",
        Option.RETAIN_DEVICE_IDENTITY: "113109",
        Option.RETAIN_INSTITUTION_IDENTITY: "113112",
        Option.RETAIN_PATIENT_CHARACTERISTICS: "113108",
        Option.RETAIN_FULL_DATES: "113106",
        Option.RETAIN_MODIFIED_DATES: "113107",
        Option.CLEAN_DESCRIPTORS: "113105",
        Option.CLEAN_STRUCTURED_CONTENT: "113104",
        Option.CLEAN_GRAPHICS: "113103",
    }
)
