"""Every provider's language codes come out in one form."""

from __future__ import annotations

import pytest

from memweb.speech.dialects.languages import base_language


@pytest.mark.parametrize(
    ("code", "base"),
    [
        ("en", "en"), ("eng", "en"), ("en_us", "en"), ("EN-GB", "en"), ("pt-BR", "pt"), ("zh-Hant-TW", "zh"),
        ("cmn", "zh"), ("deu", "de"), ("ger", "de"), ("fra", "fr"), ("fil", "tl"), ("jw", "jv"), ("iw", "he"),
        ("haw", "haw"), ("yue", "yue"), (" es ", "es"),
    ],
)  # fmt: skip
def test_a_code_is_brought_to_its_base_language(code: str, base: str) -> None:
    assert base_language(code) == base


@pytest.mark.parametrize("code", ["", "und", "mul", "english", "e", "12", "en us", "auto", None, 7, ["en"], "é", "en-"])
def test_what_names_no_language_is_none(code: object) -> None:
    assert base_language(code) is None
