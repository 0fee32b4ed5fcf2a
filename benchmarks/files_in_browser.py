"""Recordings become transcripts: every clip of a folder given to the upload page together, in Chromium.

    python -m benchmarks.files_in_browser CLIPS

A real server, its worker and the built-in gateway and engines, as `./run` starts them; language detected, speakers told
apart. Told for each clip: the word error rate, the language found, how many voices, and how long it took from all being
chosen to the last of it being read.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.clips import SECOND, Clip, clips
from tests.browser.driving import browser, wait
from tests.running import RunningServer
from tests.wer import pooled, wer

PATIENCE_S = 1800
_FOUND = """
import json
from transcripts.models import Record
found = {}
for record in Record.objects.all():
    version = record.current_version
    rows = list(version.segments.order_by('start_ms', 'order')) if version else []
    jobs = {job.kind: f"{job.status} {job.reason}".strip() for job in record.jobs.all()}
    found[record.uploads.get().name] = {
        "text": " ".join(row.text for row in rows), "language": version.language if version else "",
        "voices": len({row.speaker_id for row in rows if row.speaker_id}), "jobs": jobs,
        "seconds": max((job.ended_at - record.created_at).total_seconds() for job in record.jobs.all()),
    }
print(json.dumps(found))
"""


def upload(server: RunningServer, chosen: list[Path]) -> dict[str, Any]:
    with browser(server, None) as driven:
        page = driven.page
        page.goto(server.url + "/upload/")
        page.wait_for_function("!!customElements.get('mem-upload')")
        page.locator("#options > summary").click()
        page.select_option("#o-speakers", "0")
        page.wait_for_load_state("networkidle")
        page.set_input_files("#files", chosen)
        wait(lambda: driven.pump() and left(server) == [0, len(chosen)], "all of them", seconds=PATIENCE_S)
        states = driven.page.locator("#queue .st").all_inner_texts()
    print(f"on the page: {', '.join(sorted(set(states)))}")
    found: dict[str, Any] = json.loads(server.ask(_FOUND).splitlines()[-1])
    return found


def left(server: RunningServer) -> list[int]:
    """Jobs still to be done, and records made."""
    time.sleep(2)  # each question starts a Python of its own, on the cores that are to read
    asked = "from transcripts.models import Job, Record\nprint(Job.objects.pending().count(), Record.objects.count())"
    return [int(number) for number in server.ask(asked).split()]


def tell(chosen: list[Clip], found: dict[str, Any]) -> None:
    for clip in chosen:
        one = found[clip.name]
        wrong = f"WER {wer(clip.reference, one['text'], clip.language):.1%}" if clip.reference else repr(one["text"])
        print(f"{clip.name}: {wrong}, language {one['language']}, {one['voices']} voices, {one['jobs']}")
    english = [clip for clip in chosen if clip.language == "en"]
    print(f"English, pooled: {pooled((clip.reference, found[clip.name]['text']) for clip in english):.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    options = parser.parse_args()
    chosen = clips(options.clips)
    with tempfile.TemporaryDirectory() as name, RunningServer(Path(name), worker=True) as server:
        print(f"load average {os.getloadavg()[0]:.1f}", flush=True)
        began = time.monotonic()
        found = upload(server, [options.clips / clip.name for clip in chosen])
        took = time.monotonic() - began
        tell(chosen, found)
        sound = sum(len(clip.pcm) for clip in chosen) / SECOND
        print(f"{sound:.0f} s of sound in {took:.0f} s; load average {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
