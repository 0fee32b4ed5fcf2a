"""Ten minutes of an interview, corrected from its recording without ever touching the mouse."""

from __future__ import annotations

import re
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.driving import browser, wait
from tests.running import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.process]

MINUTES = 10
PARAGRAPHS = 60
EVERY = 3
"""Of so many paragraphs one has a word that was misheard."""
NOW = "() => document.querySelector('audio').currentTime"

# Sixty paragraphs of ten seconds, two voices; the misheard word of every third is known to be uncertain.
RECORD = """
import uuid, wave
from datetime import UTC, datetime
from pathlib import Path
from django.conf import settings
from memweb.speech import frames
from memweb.speech.transcript import Segment, Word
from transcripts import jobs, recordings, services
from transcripts.models import Job
owner = User.objects.get(username='owner')
record = uuid.uuid4()
services.open_record(id=record, owner_id=owner.pk, title='Ten minutes', language='en', provider='assemblyai',
                     gateway='', started_at=datetime.now(UTC))
with wave.open({speech!r}) as file:
    spoken = file.readframes(file.getnframes())
whole = (spoken * 100)[: {minutes} * 60 * 32000]
path = Path(settings.SPOOL_DIR) / f'{{record}}.mwspool'
path.parent.mkdir(parents=True, exist_ok=True)
path.write_bytes(b''.join(
    frames.build(frames.FrameHeader(n, 16000, 0, 1000, float(n * 16000), 0.0), whole[n * 32000:(n + 1) * 32000])
    for n in range({minutes} * 60)))
services.begin_finishing(record_id=record)
services.finish(record_id=record, duration_ms={minutes} * 60000)
jobs.run(job_id=Job.objects.get(record_id=record, kind='seal').pk, work=recordings.seal)
segments = []
for n in range({paragraphs}):
    words = f'Paragraph {{n}} of the interview tells how the machine came up the hill.'.split()
    if n % {every} == 0:
        words[8] = f'misheard{{n}}'
    timed = tuple(Word(w, n * 10000 + i * 600, n * 10000 + i * 600 + 500, 0.2 if 'misheard' in w else 0.9, 'AB'[n % 2])
                  for i, w in enumerate(words))
    segments.append(Segment(str(n), n * 10000, n * 10000 + 8000, ' '.join(words), timed, speaker='AB'[n % 2],
                            language='en'))
version = services.add_version(record_id=record, kind='second_pass', model='test', language='en', segments=segments)
services.show_version(record_id=record, number=version.number)
print(record)
"""
TEXTS = """
from transcripts.models import Record
record = Record.objects.get(title='Ten minutes')
print(' | '.join(row.text for row in record.current_version.segments.shown()))
print(record.edits.count())
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("ten-minutes")) as running:
        yield running


@pytest.fixture
def page(server: RunningServer, wheel_speech: dict[str, Path], tmp_path: Path) -> Iterator[Page]:
    speech = tmp_path / "speech.wav"
    with wave.open(str(wheel_speech["two_cities"])) as source, wave.open(str(speech), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(16000)
        target.writeframes(source.readframes(44 * 16000))
    asked = RECORD.format(speech=str(speech), minutes=MINUTES, paragraphs=PARAGRAPHS, every=EVERY)
    record = server.ask(asked)
    with browser(server, None, viewport={"width": 1280, "height": 800}, reduced_motion="reduce") as driven:
        driven.page.goto(f"{server.url}/transcripts/{record}/")
        driven.page.wait_for_selector(".w")
        wait(lambda: driven.page.evaluate("() => document.querySelector('audio').readyState >= 1"), "the recording")
        yield driven.page
        assert driven.errors == []


def test_ten_minutes_are_corrected_from_the_recording_by_keys_alone(page: Page, server: RunningServer) -> None:
    misheard = range(0, PARAGRAPHS, EVERY)
    keys = page.keyboard
    tree = page.get_by_role("main").aria_snapshot()
    assert re.search(r"heading .Ten minutes.", tree), tree[:2000]
    assert "region" in tree
    assert tree.count("misheard") >= 1
    for n in misheard:
        keys.press("u")
        keys.press("e")
        keys.press("Control+Enter")
        wait(lambda: n * 10 + 3 <= page.evaluate(NOW) < n * 10 + 9, "its sound", lambda: str(page.evaluate(NOW)))  # noqa: B023
        keys.press("Escape")
        keys.type(f"corrected{n}")
        keys.press("Enter")
        expect(page.locator("textarea[name=text]")).to_have_count(0)
    expect(page.locator(".tools .kept")).to_have_text("Saved")
    said, edits = server.ask(TEXTS).splitlines()
    texts = said.split(" | ")
    assert len(texts) == PARAGRAPHS
    for n, text in enumerate(texts):
        eighth = f"corrected{n}" if n in misheard else "machine"
        assert text == f"Paragraph {n} of the interview tells how the {eighth} came up the hill."
    assert int(edits) == len(misheard)
