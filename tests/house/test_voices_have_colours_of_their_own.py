"""Each voice has a colour that can be read where its name stands, in both schemes, and that no other one looks like."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest

from tests.running import ROOT
from transcripts.shown.paragraphs import COLOURS, voices_of

CSS = ROOT / "static/css"
TOKENS = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}, #\w{6})\);", (CSS / "tokens.css").read_text()))
SCHEMES = ("light", "dark")
GROUNDS = ("bg", "raised", "sunken", "accent-w")
READABLE = 4.5
"""WCAG's contrast of text of this size."""
APART = 0.11
"""In OKLab: two colours as near as that are still told apart at a glance, in names and in bars of two pixels."""
_CONES = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
_OPPONENTS = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]]
)  # fmt: skip


def light(name: str, scheme: str) -> npt.NDArray[np.float64]:
    """Red, green and blue of a token, as amounts of light."""
    written = TOKENS[name].split(", ")[SCHEMES.index(scheme)]
    share = np.array([int(written[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    found: npt.NDArray[np.float64] = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return found


def contrast(one: str, other: str, scheme: str) -> float:
    dark, bright = sorted(float(light(name, scheme) @ [0.2126, 0.7152, 0.0722]) for name in (one, other))
    return (bright + 0.05) / (dark + 0.05)


def seen(name: str, scheme: str) -> npt.NDArray[np.float64]:
    """In OKLab, where distances are about what eyes make of them."""
    found: npt.NDArray[np.float64] = _OPPONENTS @ np.cbrt(_CONES @ light(name, scheme))
    return found


VOICES = [f"s{number}" for number in range(1, COLOURS + 1)]


def test_eight_voices_have_eight_colours_and_the_ninth_begins_anew() -> None:
    found = voices_of((str(number), "") for number in range(9))
    assert len({found[str(number)].colour for number in range(8)}) == 8
    assert found["8"].colour == found["0"].colour


def test_pages_and_waveform_have_as_many_as_are_given_out() -> None:
    assert set(VOICES) == {name for name in TOKENS if re.fullmatch(r"s\d+", name)}
    classes = re.findall(r"^  \.c(\d+) \{ --c: var\(--s(\d+)\); \}$", (CSS / "parts.css").read_text(), re.M)
    assert classes == [(name[1:], name[1:]) for name in VOICES]
    assert f"const COLOURS = {COLOURS};" in (ROOT / "static/js/waveform.js").read_text()
    for sheet in CSS.glob("*.css"):
        assert sheet.name == "parts.css" or not re.search(r"\.c\d", sheet.read_text()), "each colour is in one place"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("voice", VOICES)
def test_a_name_can_be_read_on_every_ground(voice: str, scheme: str) -> None:
    assert min(contrast(voice, ground, scheme) for ground in GROUNDS) >= READABLE


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_two_voices_look_alike(scheme: str) -> None:
    apart = {
        (one, other): float(np.linalg.norm(seen(one, scheme) - seen(other, scheme)))
        for one, other in combinations(VOICES, 2)
    }
    assert min(apart.values()) >= APART, min(apart, key=apart.__getitem__)
