"""Every format, byte for byte, for an ordinary talk and for one that attacks whatever shows it."""

from __future__ import annotations

from pathlib import Path

import pytest

from memweb.speech.formats import FORMATS, Options
from tests.speech.formats.samples import HOSTILE, TALK

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CASES = {
    "talk": (TALK, Options(title="The budget", names={"A": "Anna", "B": "Bo"}, times=True)),
    "hostile": (HOSTILE, Options(title="<h1>\u202eT", names={"B": "=B"})),
}


@pytest.mark.parametrize("extension", [ext for ext, form in FORMATS.items() if form.is_text])
@pytest.mark.parametrize("name", CASES)
def test_what_is_written_is_the_golden_file(name, extension):
    assert FORMATS[extension].write(*CASES[name]) == (GOLDEN / f"{name}.{extension}").read_bytes()


@pytest.mark.parametrize("extension", [ext for ext, form in FORMATS.items() if form.read])
@pytest.mark.parametrize("name", CASES)
def test_a_golden_file_can_be_read(name, extension):
    form = FORMATS[extension]
    assert form.read
    assert form.read((GOLDEN / f"{name}.{extension}").read_bytes()).segments


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_every_format_has_a_name_and_says_its_media_type(form):
    assert form.name
    assert "/" in form.media_type
