"""Text as terms of the index: the one tokeniser, for both databases and for marking hits. Pure.

A term is a word without its case and accents. Where a script has no spaces between words (Chinese, Japanese, Thai ...)
it is two neighbouring characters, one pair from each character on, so that any part of the text can be found.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

MOST_TERMS = 16_000
"""Of one passage; what follows in it is not found."""
LONGEST_TERM = 64

# Thai, Lao, Burmese, Khmer; then kana and ideographs. Hangul has spaces.
UNSPACED = (
    r"\u0e01-\u0e4e\u0e80-\u0ece\u1000-\u1049\u1050-\u109f\u1780-\u17d3\u3005-\u3007\u3041-\u3096\u3099-\u309a"
    r"\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    r"\U00020000-\U0003ffff"
)
# Letters and digits, and the marks that belong to them: accents, vowel signs, joiners, the soft hyphen.
_MARKS = (
    r"\u00ad\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f"
    r"\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u0711\u0730-\u074a\u0900-\u0963\u0966-\u0df3\u0f71-\u0f84"
    r"\u1ab0-\u1aff\u1dc0-\u1dff\u200c\u200d\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f"
)
_RUN = re.compile(rf"[{UNSPACED}]+|(?:(?![{UNSPACED}])(?:[^\W_]|[{_MARKS}]))+")
_PLAIN = "".join(chr(code).lower() if chr(code).isalnum() else " " for code in range(128))
_IS_UNSPACED = re.compile(f"[{UNSPACED}]")
_DROPPED = re.compile(
    "[\u00ad\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06ed"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u200c\u200d\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]"
)
_NO_TERM = re.compile(rf"(?![{_MARKS}{UNSPACED}])[\W_]")
# Letters whose stroke or tie Unicode does not take apart.
_LETTERS = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ς": "σ"}
)


def is_unspaced(term: str) -> bool:
    """Whether a term is of a script without spaces."""
    return bool(term) and _IS_UNSPACED.match(term) is not None


@lru_cache(maxsize=20_000)
def fold(word: str) -> str:
    """Without case, accents and compatibility forms. The same again changes nothing."""
    return word.lower() if word.isascii() else _NO_TERM.sub("", _bare(word))


def fold_name(name: str) -> str:
    """What the names of tags and voices are compared by, on either database: as `fold`, but signs stay."""
    return name.lower() if name.isascii() else _bare(name)


def _bare(text: str) -> str:
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFC", _DROPPED.sub("", apart).translate(_LETTERS))


def terms(text: str) -> list[str]:
    """The terms of a text, in order."""
    if text.isascii():
        words = text.translate(_PLAIN).split()[:MOST_TERMS]
        is_usual = max(map(len, words), default=0) <= LONGEST_TERM
        return words if is_usual else [word[:LONGEST_TERM] for word in words]
    return [term for term, _, _ in spans(text)]


def spans(text: str) -> Iterator[tuple[str, int, int]]:
    """The terms of a text, each with where it begins and ends there."""
    count = 0
    for run in _RUN.finditer(text):
        for found in _of_run(run[0], run.start()):
            yield found
            count += 1
            if count >= MOST_TERMS:
                return


def _of_run(run: str, at: int) -> Iterator[tuple[str, int, int]]:
    if not is_unspaced(run):
        term = fold(run)[:LONGEST_TERM]
        if term:
            yield term, at, at + len(run)
        return
    letters = [fold(letter) for letter in run]
    for i, letter in enumerate(letters):
        if letter:
            yield letter + (letters[i + 1] if i + 1 < len(letters) else ""), at + i, at + min(i + 2, len(letters))
