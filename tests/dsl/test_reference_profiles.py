"""Profiles that were given to the reference engine: what is found in each, and where."""

import pytest

from karnak.dsl.compile import check_profile
from karnak.dsl.source import Source
from tests.golden.cases import profile_texts

FOUND: dict[str, str] = {
    "bad/bad_dup_key": "K010 2",
    "bad/bad_empty": "K006 1",
    "bad/bad_no_elements": "K102 1",
    "bad/bad_no_name": "K102 2",
    "bad/bad_tag_int": "K201 6, K201 6",
    "bad/bad_unknown_prop": "K101 5",
    "bad/bad_yaml": "K009 3",
    "docs/api_01_basic": "K901 7",
    "docs/api_02_basic": "K901 7",
    "docs/dates_04": "K404 24",
    "docs/expressions_02_basic": "K321 9, K321 9",
    "docs/masks_00": "K901 24",
    "docs/masks_partial": "K901 5",
    "docs/profileStructure_00_basic": "K105 10",
    "karnak/profileByPixel": "K901 7",
    "karnak/profileChain": "K102 24, K102 28, K102 34, K102 34, K102 37, K102 50",
    "own/own14_expr_actions": "K321 8, K321 8",
    "own/own15_expr_misc": "K315 12, K321 12",
    "own/own21_replace_uid_codename": "K102 7, K403 14",
    "own/own22_masks": "K901 7, K503 25, K502 26",
    "own/own23_masks_no_default": "K901 7",
    "own/own24_defacing": "K901 7",
    "own/own25_morph": "K321 8",
    "own/own26_replace_api": "K901 7, K901 11, K901 15",
    "own/own27_replace_api_fail": "K901 7, K901 11",
    "own/own31_invalid_many": (
        "K104 7, K102 9, K404 12, K401 17, K405 21, K405 21, K409 25, K401 29, K401 31, K401 34, K302 38, K305 42, "
        "K311 46, K203 50, K302 54, K311 59, K202 64, K202 70, K201 74, K201 82, K403 85, K403 89, K102 92, K403 95, "
        "K401 97, K420 102, K410 106, K411 110, K421 114, K401 117, K401 121, K901 124, K415 129, K409 133, K302 137, "
        "K102 138"
    ),
    "own/own32_dup_basic": "K105 9, K901 12",
    "own/own33_valid_but_runtime_error_vr": "K412 8",
    "own/own34_valid_but_runtime_error_cond": "K102 7, K302 8",
}


@pytest.mark.parametrize("name", sorted(profile_texts()))
def test_findings(name: str) -> None:
    profile, found = check_profile(Source(name, profile_texts()[name]))
    assert ", ".join(f"{one.code} {one.span.line}" for one in found) == FOUND.get(name, "")
    blocking = {one.code for one in found} - {"K901", "K321"}
    assert (profile is None) is bool(blocking)


def test_the_chain_is_refused_for_its_five_elements() -> None:
    """Five elements lack tags or an action; one of them lacks both."""
    lines = profile_texts()["karnak/profileChain"].splitlines()
    _, found = check_profile(Source("chain", profile_texts()["karnak/profileChain"]))
    elements = {one.span.line - 2 for one in found}
    assert len(elements) == 5
    assert all("generate an error" in lines[line] for line in elements)
