"""How the words are written: without marks, without capitals, without fillers or profanity, in a spelling of choice."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from memweb.speech import text
from memweb.speech.dialects.contract import RefusedParameter
from memweb.speech.dialects.words import MARKS, plain
from memweb.speech.transcript import Segment, Transcript, Word

FILLERS = frozenset(
    ["ah", "ahh", "eh", "er", "erm", "err", "hm", "hmm", "huh", "mhm", "mmm", "uh", "uhh", "uhm", "um", "umm"]
)
"""Sounds of hesitation, as Whisper writes them."""
_PROFANE = (
    "arsehole arseholes asshole assholes bastard bastards bitch bitches bollocks bullshit cocksucker cunt cunts "
    "dickhead dickheads fuck fucked fucker fuckers fucking fucks motherfucker motherfuckers motherfucking nigga nigger "
    "niggers pissed shit shits shitty slut sluts twat wanker wankers whore whores"
)
PROFANE = frozenset(_PROFANE.split())
_LETTERS = re.compile(r"\w", re.UNICODE)
_NO_SPELLINGS: Mapping[tuple[str, ...], str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Wording:
    """What is done to the words, in this order. Nothing by default."""

    fillers: bool = True
    """False leaves hesitations out."""
    profanity: str = ""
    """The parameter that asked for profanity to be masked; English only."""
    spellings: Mapping[tuple[str, ...], str] = field(default_factory=lambda: _NO_SPELLINGS)
    """Words as heard, plain -> how they are to be written."""
    marks: bool = True
    """False leaves punctuation out."""
    capitals: bool = True
    """False writes all in lower case."""


def worded(wording: Wording, transcript: Transcript) -> Transcript:
    """The transcript in this wording. Raises RefusedParameter where its language has no list of profane words."""
    if wording == Wording():
        return transcript
    if wording.profanity and transcript.segments and transcript.language not in (None, "en"):
        raise RefusedParameter(
            wording.profanity, f"{wording.profanity} knows English words only; this is {transcript.language}."
        )
    made = (_segment(wording, segment) for segment in transcript.segments)
    return replace(transcript, segments=tuple(segment for segment in made if segment.words))


def _segment(wording: Wording, segment: Segment) -> Segment:
    words = segment.words
    if not wording.fillers:
        words = tuple(word for word in words if word.text.strip(MARKS).isupper() or plain(word.text) not in FILLERS)
    if wording.profanity:
        words = tuple(replace(word, text=_masked(word.text)) for word in words)
    words = _respelt(words, wording.spellings)
    if not wording.marks:
        words = tuple(replace(word, text=_unmarked(word.text)) for word in words)
    if not wording.capitals:
        words = tuple(replace(word, text=word.text.lower()) for word in words)
    words = tuple(word for word in words if word.text)
    return replace(segment, words=words, text=text.join(word.text for word in words))


def _masked(said: str) -> str:
    """A profane word with its first letter and stars."""
    if plain(said) not in PROFANE:
        return said
    first = _LETTERS.search(said)
    upto = first.end() if first else 0
    return said[:upto] + _LETTERS.sub("*", said[upto:])


def _unmarked(said: str) -> str:
    return said.strip(MARKS)


def _respelt(words: tuple[Word, ...], spellings: Mapping[tuple[str, ...], str]) -> tuple[Word, ...]:
    if not spellings:
        return words
    longest = max(map(len, spellings))
    made: list[Word] = []
    at = 0
    while at < len(words):
        count = _match(words[at : at + longest], spellings)
        if count:
            made.append(_merged(words[at : at + count], spellings))
        else:
            made.append(words[at])
        at += count or 1
    return tuple(made)


def _match(words: tuple[Word, ...], spellings: Mapping[tuple[str, ...], str]) -> int:
    """How many of these words, from the first, have a spelling of their own: the most that do."""
    heard = tuple(plain(word.text) for word in words)
    return next((count for count in range(len(heard), 0, -1) if heard[:count] in spellings), 0)


def _merged(words: tuple[Word, ...], spellings: Mapping[tuple[str, ...], str]) -> Word:
    """One word in place of several, with the marks that stood around them."""
    spelling = spellings[tuple(plain(word.text) for word in words)]
    first, last = words[0].text, words[-1].text
    opening = first[: len(first) - len(first.lstrip(MARKS))]
    closing = last[len(last.rstrip(MARKS)) :]
    return replace(words[0], text=f"{opening}{spelling}{closing}", end_ms=words[-1].end_ms)


def sequence(heard: str) -> tuple[str, ...]:
    """A phrase as `Wording.spellings` looks for it."""
    return tuple(plain(heard).split())
