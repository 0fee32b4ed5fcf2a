"""What a person sees who speaks to the page itself: each clip through Chromium, its microphone playing the file.

    python -m benchmarks.in_browser CLIPS [--only NAME ...]

A real server with its worker and the engine built in; for every clip a fresh browser, the language chosen on the page,
"Start dictating", the clip once in real time, "Finish". Told are how many words stood on the page while the voice still
spoke, the word error rate of the live text in the library and of the second pass that follows, and whether the sealed
recording is, sample for sample, what the page made. The timing of words is measured by `benchmarks.dictation`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
import time
import wave
from dataclasses import dataclass
from pathlib import Path

from benchmarks.clips import SECOND, Clip, clips
from benchmarks.dictation import second_passes
from tests.browser.driving import RATE, Driven, browser, frames_of, microphone, wait
from tests.running import RunningServer
from tests.wer import pooled, wer

TAIL_S = 2.0


@dataclass(frozen=True)
class Seen:
    """One clip, spoken once to the page."""

    clip: Clip
    during: str
    """What stood in the page, interim words too, when the voice had a second left."""
    live: str
    record: str
    made: str
    """SHA-256 of the samples the page made."""


def silence(target: Path, seconds: float) -> Path:
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(bytes(2 * round(seconds * RATE)))
    return target


def speak(server: RunningServer, folder: Path, source: Path, clip: Clip) -> Seen:
    target = folder / f"{clip.name}.wav"
    hears = microphone(source, target, pad=1.0) if clip.reference else silence(target, clip.seconds)
    with browser(server, hears) as driven:
        page = driven.open()
        page.locator("#language").select_option(clip.language or "en")
        driven.press("Start dictating")
        driven.wait_for_state("listening", "silence")
        began = time.monotonic()
        wait_until(driven, began + clip.seconds)
        during = f"{driven.text} {page.locator('#interim').inner_text()}".strip()
        wait_until(driven, began + clip.seconds + 1 + TAIL_S)
        session = driven.finish()
        driven.pump()
        made = hashlib.sha256(b"".join(frame.pcm for frame in frames_of(driven.kept()))).hexdigest()
    return Seen(clip, " ".join(during.split()), live_text(server, session), session, made)


def wait_until(driven: Driven, moment: float) -> None:
    """The page is asked ten times a second, so that the frames it tells of arrive here."""
    wait(lambda: driven.pump() and time.monotonic() >= moment, "the end of the clip", seconds=600)


def live_text(server: RunningServer, record: str) -> str:
    script = (
        "import json\nfrom transcripts.models import Segment\n"
        f"texts = Segment.objects.filter(version__record_id={record!r}, version__kind='live').order_by('start_ms')\n"
        "print(json.dumps(' '.join(texts.values_list('text', flat=True))))"
    )
    return str(json.loads(server.ask(script).splitlines()[-1]))


def sealed(server: RunningServer) -> dict[str, str]:
    """Record id to the SHA-256 of its recording's samples."""
    script = (
        "import json\nfrom transcripts.models import Recording\n"
        "kept = Recording.objects.values_list('record_id', 'pcm_sha256')\n"
        "print(json.dumps({str(key): value for key, value in kept}))"
    )
    return dict(json.loads(server.ask(script).splitlines()[-1]))


def tell(seen: list[Seen], second: dict[str, str], kept: dict[str, str]) -> None:
    for each in seen:
        clip, better = each.clip, second.get(each.record, "")
        whole = "recording as made" if kept.get(each.record) == each.made else "RECORDING DIFFERS"
        if not clip.reference:
            print(f"{clip.name}: live {each.live!r}, second pass {better!r}; {whole}")
            continue
        rates = f"live {wer(clip.reference, each.live, clip.language):.1%}"
        if each.record in second:  # not where the same engine heard it live
            rates += f", second pass {wer(clip.reference, better, clip.language):.1%}"
        print(
            f"{clip.name} ({clip.language}): {len(each.during.split())} words on the page meanwhile; {rates}; {whole}"
        )
    english = [each for each in seen if each.clip.language == "en" and each.clip.reference]
    if english:
        live = pooled((each.clip.reference, each.live) for each in english)
        later = pooled((each.clip.reference, second.get(each.record, "")) for each in english)
        print(f"English, pooled: live {live:.1%}, second pass {later:.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    chosen = [clip for clip in clips(options.clips) if not options.only or clip.name in options.only]
    with tempfile.TemporaryDirectory() as name, RunningServer(Path(name), worker=True) as server:
        print(f"load average {os.getloadavg()[0]:.1f}; {sum(len(clip.pcm) for clip in chosen) / SECOND:.0f} s of sound")
        seen = [speak(server, Path(name), options.clips / clip.name, clip) for clip in chosen]
        tell(seen, second_passes(server), sealed(server))
        print(f"load average {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
