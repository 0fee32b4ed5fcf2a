"""Text as it comes from providers, engines and people: made safe to store, fit to show, and joined to be read."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from memweb.speech.transcript import Segment

REPLACEMENT = "\ufffd"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_CONTROLS = re.compile("[\x01-\x08\x0b-\x1f\x7f-\x9f]")
# Overrides, embeddings and isolates can turn the words after them around. Marks (U+200E, U+200F, U+061C) cannot.
_TURNERS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_SPACE = re.compile(r"\s+")

# Scripts written without spaces between words; those of CJK may break between any two characters.
CJK = r"\u3000-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
UNSPACED = rf"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff{CJK}"
_UNSPACED = re.compile(rf"[{UNSPACED}]")
_SENTENCE_END = re.compile(r"[.!?…。！？؟।][\"'”’»)\]]*$")
# Words that hardly ever open with a capital inside a sentence; "I" and names are not among them.
_JOINING = re.compile(
    "(an?|and|as|at|because|but|by|for|from|if|in|into|is|not|of|on|or|so|than|that|the|then|to|was|were|what|when"
    "|where|which|while|who|with)[ ,]",
    re.IGNORECASE,
)


def clean(text: str) -> str:
    """What every database and encoder can hold: NUL and lone surrogates become U+FFFD, other controls a space.

    Line ends and tabs stay. The same again changes nothing.
    """
    if _UNSTORABLE.search(text):
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\0", REPLACEMENT)
    return _CONTROLS.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))


def line(text: str) -> str:
    """Clean text on one line, with single spaces."""
    return _SPACE.sub(" ", clean(text)).strip()


def plain(text: str) -> str:
    """One line that shows what it holds: characters that turn their neighbours around become U+FFFD."""
    return _TURNERS.sub(REPLACEMENT, line(text))


def width(text: str) -> int:
    """Columns it takes: two for a full-width character, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def is_rtl(text: str) -> bool:
    """Whether it reads from right to left: its first letter with a direction does."""
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in ("R", "AL"):
            return True
        if direction == "L":
            return False
    return False


def ends_sentence(text: str) -> bool:
    return bool(_SENTENCE_END.search(text.rstrip()))


def join(pieces: Iterable[str], language: str | None = None) -> str:
    """Pieces of speech as one line: spaces between them, save in scripts that have none.

    A voice detector cuts inside sentences, and the engine then gives each piece a capital. In English (`language`
    "en") such a capital is taken back, for small words only and only where the piece before ended no sentence.
    """
    joined = ""
    for piece in pieces:
        joined += "".join(joint(joined, line(piece), language))
    return joined


def joint(before: str, piece: str, language: str | None) -> tuple[str, str]:
    """What stands between two lines when they are joined, and the second as it then reads: see `join`."""
    if not before or not piece or (_UNSPACED.match(before[-1]) and _UNSPACED.match(piece)):
        return "", piece
    return " ", _continued(before, piece) if language == "en" else piece


def _continued(before: str, piece: str) -> str:
    unended = before[-1].isalnum() or before[-1] in ",;:"
    return piece[0].lower() + piece[1:] if unended and _JOINING.match(piece + " ") else piece


@dataclass(frozen=True, slots=True)
class Paragraph:
    """What one speaker said without a long pause."""

    segments: tuple[Segment, ...]
    """At least one, in order."""

    @property
    def speaker(self) -> str | None:
        return self.segments[0].speaker

    @property
    def start_ms(self) -> int:
        return self.segments[0].start_ms

    @property
    def end_ms(self) -> int:
        return max(segment.end_ms for segment in self.segments)

    @property
    def text(self) -> str:
        return join((segment.text for segment in self.segments), self.segments[0].language)


PAUSE_MS = 1_500
LONG_PAUSE_MS = 4_000
LONG_CHARACTERS = 600


def paragraphs(segments: Iterable[Segment]) -> Iterator[Paragraph]:
    """Segments, in order, gathered to be read.

    A new paragraph begins with another speaker, channel or language, after a long pause, after a pause of 1.5 s where
    a sentence has ended, and at the end of a sentence once the paragraph is long; a person may have said otherwise
    (`Segment.opens`). Segments without text are left out.
    """
    gathered: list[Segment] = []
    length = 0
    for segment in segments:
        if not segment.text.strip():
            continue
        if gathered and (segment.opens is True or _parted(gathered[-1], segment, length)):
            yield Paragraph(tuple(gathered))
            gathered, length = [], 0
        gathered.append(segment)
        length += len(segment.text) + 1
    if gathered:
        yield Paragraph(tuple(gathered))


def _parted(before: Segment, after: Segment, length: int) -> bool:
    if (before.speaker, before.channel, before.language) != (after.speaker, after.channel, after.language):
        return True
    if after.opens is False:
        return False
    pause = after.start_ms - before.end_ms
    if pause >= LONG_PAUSE_MS:
        return True
    return ends_sentence(before.text) and (pause >= PAUSE_MS or length >= LONG_CHARACTERS)
