"""CID 7050 against pydicom's copy of PS3.16."""

from pydicom.sr.codedict import codes

from karnak.standard.codes import DEIDENTIFICATION_METHODS, OPTION_CODES
from karnak.standard.confidentiality import Option


def test_codes_and_meanings_are_those_of_the_standard() -> None:
    collection = codes.cid7050
    methods = {code.value: code.meaning for code in (getattr(collection, name) for name in collection.dir())}
    assert methods == DEIDENTIFICATION_METHODS
    assert [*DEIDENTIFICATION_METHODS] == sorted(methods)


def test_every_option_has_the_code_that_bears_its_name() -> None:
    assert set(OPTION_CODES) == set(Option)
    assert len(set(OPTION_CODES.values())) == len(Option)
    for option, code in OPTION_CODES.items():
        meaning = DEIDENTIFICATION_METHODS[code].lower()
        assert all(word in meaning for word in option.value.split("_"))
