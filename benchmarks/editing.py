"""A three-hour transcript under a person's hands in real Chromium: opened, scrolled, typed into, played.

    python -m benchmarks.editing [--rounds 3] [--letters 80] [--seconds 20] [--segments 3000]

The record of `benchmarks.pages`, with three hours of silence for sound, on a real server. Peers in the same browser, in
turns: the page of one line (first paint); the same paragraphs with neither style nor script (scrolling), with a
textarea among them and as one contenteditable (typing); the page at rest (playing). All text is loaded, and every word
has its place, when the typing begins nine tenths down. Now and then it pauses until it is saved, and goes on while the
answer comes.

A key's latency is from its own time stamp until the next frame is painted. The wait for the screen's next tick is in
it, up to 16.7 ms on any page; its work alone is what the handlers and that frame take. Frames are told by the time from
one to the next: over 25 ms, one was missed.
"""

from __future__ import annotations

import argparse
import html
import os
import statistics
import tempfile
import uuid
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

from playwright.sync_api import BrowserContext, Page

from tests.browser.driving import browser, wait
from tests.running import RunningServer

FIRST_PAINT_MS, LATENCY_MS = 1000.0, 16.0
"""The aims."""
MISSED_MS, LONG_MS = 25.0, 50.0
DEEP = 0.9
SCROLL_PX = 100
"""A frame: as fast as a hand spins a wheel."""
SAVED_AFTER_MS = 2050
"""A little more than the page waits before it saves."""
BETWEEN_MS = (47, 61, 83, 54, 72, 90, 43, 66)
"""Between two letters, in turn: a quick typist, at no fixed place between two ticks of the screen."""

METER = """
(() => {
  let [stamp, begun, handled] = [0, 0, 0];
  window.typed = [];
  const painted = (done) => requestAnimationFrame(() => {
    const from = performance.now();
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => done(from, performance.now());
    port2.postMessage(0);
  });
  addEventListener('keydown', (event) => { stamp = event.timeStamp; begun = performance.now(); }, true);
  addEventListener('keydown', () => { handled = performance.now() - begun; });
  addEventListener('beforeinput', () => { begun = performance.now(); }, true);
  addEventListener('input', () => {
    const [at, took] = [stamp, handled + performance.now() - begun];
    painted((from, over) => typed.push([over - at, took + over - from]));
  });
  window.frames_until = (over) => new Promise((done) => {
    const ticks = [];
    let last = 0;
    const tick = (now) => {
      if (last) ticks.push(now - last);
      last = now;
      if (over(now)) done(ticks);
      else requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
})();
"""
REST = "(seconds) => { const end = performance.now() + seconds * 1000; return frames_until((now) => now > end); }"
# To the end, and until nothing more has come for half a second.
SCROLL = """(step) => {
  let [since, y] = [performance.now(), -1];
  return frames_until((now) => {
    scrollBy({ top: step, behavior: 'instant' });
    if (scrollY !== y || document.getElementById('onward')) [since, y] = [now, scrollY];
    return now - since > 500;
  });
}"""
PLAY = "() => document.querySelector('mem-player').do('play')"
PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
DEEP_TURN = """(share) => {
  const turns = [...document.querySelectorAll('.turn')];
  const turn = turns[Math.floor(turns.length * share)];
  turn.scrollIntoView({ block: 'center', behavior: 'instant' });
  turn.querySelector('.pen').click();
}"""
TEXTS = "() => [...document.querySelectorAll('.turn .prose > p')].map((p) => p.textContent)"
CARET = """() => {
  const field = document.querySelector('.deep');
  field.scrollIntoView({ block: 'center', behavior: 'instant' });
  if (field.matches('textarea')) return field.focus();
  field.closest('[contenteditable]').focus();
  getSelection().collapse(field.firstChild, 5);
}"""


def add_sound(record_id: str) -> None:
    """Run within the server's project: silence of the record's length where its recording is looked for."""
    import av
    from django.conf import settings

    from transcripts import recordings
    from transcripts.models import Recording

    recording = Recording.objects.get(record_id=record_id)
    Path(settings.AUDIO_DIR).mkdir(parents=True, exist_ok=True)
    with av.open(str(recordings.audio_path(recording)), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=recordings.RATE, layout="mono", format="s16")
        silence = bytes(2 * recordings.RATE * 10)
        for _ in range(recording.samples // (recordings.RATE * 10)):
            container.mux(stream.encode(recordings.frame_of(silence)))
        container.mux(stream.encode(None))


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def first_paint(page: Page, address: str) -> float:
    page.goto(address)
    wait(lambda: page.evaluate(PAINTED), "the first paint")
    return float(page.evaluate(PAINTED))


def tell_first_paint(page: Page, server: RunningServer, short: str, long: str, rounds: int) -> None:
    found: dict[str, list[float]] = {short: [], long: []}
    for record in (short, long):
        first_paint(page, f"{server.url}/transcripts/{record}/")
    for _ in range(rounds * 2):
        for record, paints in found.items():
            paints.append(first_paint(page, f"{server.url}/transcripts/{record}/"))
    one, hours = (statistics.median(paints) for paints in found.values())
    told = f"one line {one:.0f} ms, three hours {hours:.0f} ms (worst {max(found[long]):.0f})"
    print(f"first paint: {told}: {hours / one:.2f} times; of the aim: {hours / FIRST_PAINT_MS:.2f}", flush=True)


def peer(context: BrowserContext, paragraphs: Sequence[str], *, editable: bool) -> Page:
    """A bare page of the same paragraphs with a place to type deep in it."""
    deep = int(len(paragraphs) * DEEP)
    made = [f"<p>{html.escape(text)}</p>" for text in paragraphs]
    if editable:
        made[deep] = made[deep].replace("<p>", '<p class="deep">')
        body = f"<div contenteditable>{''.join(made)}</div>"
    else:
        field = f'<textarea class="deep" cols="70" rows="8">{html.escape(paragraphs[deep])}</textarea>'
        body = "".join([*made[:deep], field, *made[deep + 1 :]])
    page = context.new_page()
    page.set_content(f"<!doctype html><title>peer</title>{body}")
    page.evaluate(METER)
    return page


def tell_frames(name: str, frames: Sequence[float]) -> float:
    """Prints them; the longest."""
    missed, long = (sum(frame > limit for frame in frames) for limit in (MISSED_MS, LONG_MS))
    told = f"p95 {percentile(frames, 0.95):.1f} ms, longest {max(frames):.0f} ms"
    print(f"{name}: {len(frames)} frames, {told}, {missed} missed a tick, {long} over 50 ms", flush=True)
    return max(frames)


def type_letters(page: Page, count: int) -> list[tuple[float, float]]:
    """(latency, work) of each letter, in ms."""
    page.bring_to_front()
    page.evaluate("() => { typed.length = 0; }")
    letters = islice(cycle("it was the best of times and the worst "), count)
    for number, (letter, between) in enumerate(zip(letters, cycle(BETWEEN_MS), strict=False), 1):
        page.keyboard.press("Space" if letter == " " else letter)
        page.wait_for_timeout(SAVED_AFTER_MS if number % 40 == 0 else between)
    return [(latency, work) for latency, work in page.evaluate("() => typed")]


def tell_typing(pages: dict[str, Page], rounds: int, letters: int) -> None:
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in pages}
    for _ in range(rounds):
        for name, page in pages.items():
            found[name] += type_letters(page, letters)
    figures = {}
    for name, keys in found.items():
        latency, work = (sorted(column) for column in zip(*keys, strict=True))
        figures[name] = percentile(latency, 0.95), percentile(work, 0.95)
        told = ", ".join(
            f"{what} p50 {percentile(values, 0.5):.1f}, p95 {percentile(values, 0.95):.1f}, worst {values[-1]:.1f} ms"
            for what, values in (("latency", latency), ("work", work))
        )
        print(f"typing, {name}: {len(keys)} letters, {told}", flush=True)
    ours = figures.pop("memweb")
    for name, theirs in figures.items():
        print(f"typing, p95 against {name}: latency {ours[0] / theirs[0]:.2f}, work {ours[1] / theirs[1]:.2f}")
    shares = [figure / LATENCY_MS for figure in ours]
    print(f"typing, p95 of the aim of {LATENCY_MS:.0f} ms: latency {shares[0]:.2f}, work {shares[1]:.2f}")


def tell_playing(page: Page, seconds: int) -> None:
    page.bring_to_front()
    rest = tell_frames("at rest", page.evaluate(REST, seconds))
    for rate in (1, 2):
        page.evaluate("(rate) => { document.querySelector('mem-player').sound.rate = rate; }", rate)
        page.evaluate(
            "() => document.querySelector('mem-player').seek(document.querySelector('mem-text').reader.end * 0.0009)"
        )
        page.evaluate(PLAY)
        wait(lambda: not page.evaluate("() => document.querySelector('audio').paused"), "the sound")
        longest = tell_frames(f"playing at {rate}x", page.evaluate(REST, seconds))
        page.evaluate(PLAY)
        print(f"longest frame against rest: {longest / rest:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--letters", type=int, default=80)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--segments", type=int, default=3000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, RunningServer(Path(folder)) as server:
        short, long = (
            server.ask(f"from benchmarks.pages import fill\nprint(fill('owner', {count}))")
            for count in (1, options.segments)
        )
        assert uuid.UUID(long)
        server.ask(f"from benchmarks.editing import add_sound\nadd_sound({long!r})")
        with browser(server, None, viewport={"width": 1280, "height": 800}) as driven:
            print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores", flush=True)
            page = driven.page
            tell_first_paint(page, server, short, long, options.rounds)
            page.evaluate(METER)
            ours = tell_frames("scrolling to the end, all that comes on the way", page.evaluate(SCROLL, SCROLL_PX))
            again = page.evaluate(
                f"() => {{ scrollTo({{ top: 0, behavior: 'instant' }}); return ({SCROLL})({SCROLL_PX}); }}"
            )
            tell_frames("scrolling to the end once more", again)
            paragraphs = page.evaluate(TEXTS)
            counts = page.evaluate(
                "() => [document.querySelectorAll('.s').length, document.querySelectorAll('.w').length]"
            )
            print(f"{counts[0]} segments, {counts[1]} words with places, {len(paragraphs)} paragraphs")
            bare = peer(driven.context, paragraphs, editable=False)
            theirs = tell_frames("scrolling the bare page", bare.evaluate(SCROLL, SCROLL_PX))
            print(f"longest frame against the bare page: {ours / theirs:.2f}")
            editable = peer(driven.context, paragraphs, editable=True)
            page.bring_to_front()
            page.evaluate(DEEP_TURN, DEEP)
            page.wait_for_selector(".editing textarea:focus")
            for other in (bare, editable):
                other.bring_to_front()
                other.evaluate(CARET)
            tell_typing(
                {"memweb": page, "a textarea": bare, "contenteditable": editable}, options.rounds, options.letters
            )
            bare.close()
            editable.close()
            page.bring_to_front()
            page.keyboard.press("Enter")
            tell_playing(page, options.seconds)
        print(f"load average {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
