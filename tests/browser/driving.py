"""A real Chromium with a microphone that plays a file, and what a test wants to know about the page in it."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import struct
import time
import wave
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, BrowserType, Page, Playwright, expect, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from memweb.speech import frames
from tests.running import RunningServer
from tests.waiting import PATIENCE

RATE = 48_000
EXPECT_MS = 30_000
"""As long as Playwright waits before it clicks; its own five seconds are few on a machine that others use too."""
expect.set_options(timeout=EXPECT_MS)
RECORDING = ("listening", "silence", "catching_up")
_FLAGS = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream",
)  # fmt: skip

# Tells the test of every frame when the page keeps it. Runs in the test's browser only.
_LISTEN = """
(() => {
  // A page that is loaded anew may take what it told last with it: the next one tells it again.
  let last = [];
  try {
    last = JSON.parse(sessionStorage.testsLast ?? '[]');
  } catch {} // no page of ours
  for (const frame of last) window.testsFrame(frame);
  const put = IDBObjectStore.prototype.put;
  IDBObjectStore.prototype.put = function (value, key) {
    if (this.name === 'frames') {
      const frame = btoa(String.fromCharCode(...value));
      last = [...last, frame].slice(-5);
      sessionStorage.testsLast = JSON.stringify(last);
      window.testsFrame(frame);
    }
    return put.call(this, value, key);
  };
})();
"""


def chromium() -> str:
    """Where Chromium is; skips, loudly, where there is none (fails in CI)."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = os.environ.get("MEMWEB_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        assert not os.environ.get("CI"), "Chromium is missing: the page cannot be tested"
        pytest.skip("Chromium is not installed: the page is NOT tested in a browser here")
    return found


def microphone(source: Path, target: Path, *, seconds: float | None = None, pad: float = 0.5) -> Path:
    """What the microphone will hear: `source` (or its first seconds) as 48 kHz mono WAV, silence at both ends."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(str(source)) as container:
        parts = [out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    parts += [out.to_ndarray()[0] for out in resampler.resample(None)]
    speech = np.concatenate(parts)[: None if seconds is None else round(seconds * RATE)]
    assert np.sqrt(np.mean(speech.astype(float) ** 2)) > 0, "a silent file tests nothing"
    silence = np.zeros(round(pad * RATE), np.int16)
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.concatenate([silence, speech, silence]).tobytes())
    return target


@dataclass
class Driven:
    """One page of memweb in a browser, signed in as the owner."""

    context: BrowserContext
    page: Page
    server: RunningServer
    made: dict[int, bytes] = field(default_factory=dict, repr=False)
    """Every frame the page kept, by number, as the browser's storage got it."""
    errors: list[str] = field(default_factory=list)
    """What failed in the page's scripts, or was stopped by the content policy."""

    def sign_in(self) -> None:
        """A fresh session of the owner, as a cookie of this browser."""
        cookie = [
            {"name": name, "value": value, "url": self.server.url} for name, value in self.server.sign_in().items()
        ]
        self.context.add_cookies(cookie)  # type: ignore[arg-type]

    def open(self, path: str = "/") -> Page:
        """Go there and wait until the dictation page is ready."""
        self.page.goto(self.server.url + path)
        self.page.wait_for_selector("body[data-ready]", timeout=PATIENCE * 1000)
        return self.page

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click(timeout=PATIENCE * 1000)

    def finish(self) -> str:
        """Press Finish and wait for the record's page; the id of the dictation."""
        session = self.session()
        self.press("Finish")
        wait(lambda: self.pump() and "/transcripts/" in self.page.url, "the record's page", self._told)
        self.page.wait_for_load_state()
        return session

    def _told(self) -> str:
        if "/transcripts/" in self.page.url:
            return self.page.url
        page = " | ".join(self.page.locator(f"#{name}").inner_text() for name in ("status", "detail", "note"))
        return f"{self.state}: {page}; server: {self.server.log()[-1500:]}"

    @property
    def state(self) -> str:
        return self.page.locator("body").get_attribute("data-state") or ""

    @property
    def text(self) -> str:
        return self.page.get_by_role("log", name="Transcript").inner_text()

    def wait_for_state(self, *states: str) -> None:
        wait(lambda: self.state in states, f"state {' or '.join(states)}", lambda: self.state)

    def wait_for_frames(self, count: int) -> None:
        """Until the page has made so many frames."""
        wait(lambda: self.pump() and len(self.made) >= count, f"{count} frames", lambda: str(len(self.made)))

    def pump(self) -> bool:
        """Let what the page told arrive here."""
        self.page.wait_for_timeout(50)
        return True

    def session(self) -> str:
        """The id of the one dictation this browser knows."""
        return str(self.page.evaluate(_SESSION))

    def kept(self) -> bytes:
        """Every frame of this browser in order, as one file."""
        return b"".join(self.made[number] for number in sorted(self.made))

    def spool(self, session: str) -> bytes:
        """The server's file of that dictation."""
        return spool(self.server, session)


_SESSION = """() => new Promise((resolve) => {
  const opening = indexedDB.open('memweb');
  opening.onsuccess = () => {
    const asking = opening.result.transaction('sessions').objectStore('sessions').getAllKeys();
    asking.onsuccess = () => { opening.result.close(); resolve(asking.result[0]); };
  };
})"""


def spool(server: RunningServer, session: str) -> bytes:
    return (server.data_dir / "spools" / f"{session}.mwspool").read_bytes()


def wait(done: Callable[[], object], what: str, seen: Callable[[], str] = str, seconds: float = PATIENCE) -> None:
    """Poll until `done()` is true."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}; last seen: {seen()}"
        time.sleep(0.05)


def frames_of(data: bytes) -> list[frames.Frame]:
    """The frames of a spool file; all of it must be frames."""
    found, used = frames.read(data)
    assert used == len(data), "the file has a torn tail"
    return found


def assert_one_recording(found: list[frames.Frame]) -> None:
    """Numbers and samples go on without hole or repeat, and there is sound in them."""
    assert [frame.header.number for frame in found] == list(range(len(found)))
    sample = 0.0
    for frame in found:
        assert frame.header.first_sample == sample
        sample += frame.header.samples
    pcm = np.frombuffer(b"".join(frame.pcm for frame in found), np.int16)
    assert np.sqrt(np.mean(pcm.astype(float) ** 2)) > 0, "the microphone was silent"


@contextlib.contextmanager
def browser(
    server: RunningServer,
    hears: Path | None,
    *,
    profile: Path | None = None,
    allowed: bool = True,
    flags: tuple[str, ...] = (),
    **options: Any,
) -> Iterator[Driven]:
    """A browser signed in to `server`, its microphone playing `hears` once. `profile` outlives it."""
    arguments = [*_FLAGS, *flags]
    if allowed:
        arguments.append("--use-fake-ui-for-media-stream")
    if hears is not None:
        arguments.append(f"--use-file-for-fake-audio-capture={hears}%noloop")
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    launch: dict[str, Any] = {"executable_path": chromium(), "headless": True, "args": arguments}
    if allowed:
        options.setdefault("permissions", ["microphone"])
    with contextlib.ExitStack() as ends:
        if profile is not None:
            context = browsers.chromium.launch_persistent_context(str(profile), **launch, **options)
        elif hears is None:
            context = browsers.shared(launch).new_context(**options)
        else:  # the file is heard once, from the browser's start on
            context = ends.enter_context(browsers.chromium.launch(**launch)).new_context(**options)
        page = context.pages[0] if context.pages else context.new_page()
        driven = Driven(context, page, server)
        driven.sign_in()
        page.on("pageerror", lambda error: driven.errors.append(str(error)))
        page.on("console", lambda said: "Content Security" in said.text and driven.errors.append(said.text))
        context.expose_binding("testsFrame", lambda _source, frame: _keep(driven, frame))
        context.add_init_script(_LISTEN)
        try:
            yield driven
            assert not driven.errors, f"the page's scripts failed: {driven.errors}"
        finally:
            with contextlib.suppress(Exception):  # a browser that was killed cannot be closed
                context.close()


class _Browsers:
    """What runs browsers. One that hears nothing goes on to the next test: to start it takes longer than most tests."""

    def __init__(self) -> None:
        self._playwright: Playwright | None = None
        self._shared: dict[tuple[str, ...], Browser] = {}

    @property
    def chromium(self) -> BrowserType:
        if self._playwright is None:
            self._playwright = sync_playwright().start()
        return self._playwright.chromium

    def shared(self, launch: dict[str, Any]) -> Browser:
        """One that was started like this, with whatever state a new context has: none."""
        how = tuple(launch["args"])
        if how not in self._shared or not self._shared[how].is_connected():
            self._shared[how] = self.chromium.launch(**launch)
        return self._shared[how]

    def close(self) -> None:
        """End them all. While any runs, this thread has an event loop, which other tests could not bear."""
        running, self._shared = self._shared, {}
        playwright, self._playwright = self._playwright, None
        for one in running.values():
            with contextlib.suppress(PlaywrightError):
                one.close()
        if playwright is not None:
            playwright.stop()


browsers = _Browsers()


def _keep(driven: Driven, frame: str) -> None:
    data = base64.b64decode(frame)
    (number,) = struct.unpack_from("<I", data, 4)
    driven.made[number] = data
