"""Word error rate, with a small normaliser: what was said, not how it was written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

_TITLES = {"mr": "mister", "mrs": "missus", "dr": "doctor", "st": "saint", "vs": "versus", "ok": "okay"}
_SPELLINGS = {"honour": "honor", "colour": "color", "favour": "favor", "flavour": "flavor", "grey": "gray"}
_CONTRACTED = {"can't": "can not", "cannot": "can not", "won't": "will not", "let's": "let us"}
_ENDINGS = (("n't", " not"), ("'re", " are"), ("'ve", " have"), ("'ll", " will"), ("'m", " am"))
_ONES = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
]
_TENS = ["_", "_", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_ORDINALS = {
    "first": "one", "second": "two", "third": "three", "fifth": "five", "eighth": "eight", "ninth": "nine",
    "twelfth": "twelve",
}  # fmt: skip
_HESITATIONS = {"uh", "um", "hmm", "mm", "er", "ah"}


def words(text: str, language: str = "en") -> list[str]:
    """The words of a text, lower case, without punctuation; English also with titles and numbers spelt out."""
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    if language == "en":
        text = re.sub(r"(\d)(st|nd|rd|th)\b", r"\1", text)
        text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
        text = re.sub(r"\d+", lambda found: f" {_number(int(found[0]))} ", text)
    text = re.sub(r"[^\w\s']|_", " ", text)
    plain = [word.strip("'") for word in text.split()]
    if language != "en":
        return [word for word in plain if word]
    return [part for word in plain for part in _english(word)]


def errors(reference: Sequence[str], heard: Sequence[str]) -> int:
    """The fewest words to change, add or take away."""
    row = list(range(len(heard) + 1))
    for count, wanted in enumerate(reference, 1):
        above, row[0] = row[0], count
        for at, word in enumerate(heard, 1):
            cost = min(row[at] + 1, row[at - 1] + 1, above + (wanted != word))
            above, row[at] = row[at], cost
    return row[-1]


def wer(reference: str, heard: str, language: str = "en") -> float:
    """Errors per word of the reference."""
    return pooled([(reference, heard)], language)


def pooled(pairs: Iterable[tuple[str, str]], language: str = "en") -> float:
    """Errors of all (reference, heard) pairs per word of all references."""
    wrong = total = 0
    for reference, heard in pairs:
        wanted, got = words(reference, language), words(heard, language)
        wrong += errors(wanted, got)
        total += len(wanted)
    return wrong / max(1, total)


def _english(word: str) -> list[str]:
    word = _CONTRACTED.get(word, word)
    for ending, full in _ENDINGS:
        if word.endswith(ending):
            word = word[: -len(ending)] + full
    parts = [_SPELLINGS.get(part, _TITLES.get(part, _ordinal(part))) for part in word.replace("'", "").split()]
    return [part for part in parts if part not in _HESITATIONS]


def _ordinal(word: str) -> str:
    if word in _ORDINALS:
        return _ORDINALS[word]
    stem = word[:-4] + "y" if word.endswith("ieth") else word.removesuffix("th")
    return stem if stem in _ONES or stem in _TENS else word


def _number(value: int) -> str:
    if value < 20:
        return _ONES[value]
    if value < 100:
        return f"{_TENS[value // 10]} {_ONES[value % 10] if value % 10 else ''}".strip()
    if value < 1000:
        return f"{_ONES[value // 100]} hundred {_number(value % 100) if value % 100 else ''}".strip()
    if value < 1_000_000:
        return f"{_number(value // 1000)} thousand {_number(value % 1000) if value % 1000 else ''}".strip()
    return " ".join(_ONES[int(digit)] for digit in str(value))
