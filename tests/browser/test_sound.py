"""The worklet inside the browser it is made for: what 16 kHz cannot hold does not come back as something else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.browser.driving import browser
from tests.running import RunningServer

pytestmark = pytest.mark.browser

_RENDER = """async ({ rate, hz, worklet }) => {
  const context = new OfflineAudioContext(1, 2 * rate, rate);
  await context.audioWorklet.addModule(worklet);
  const node = new AudioWorkletNode(context, 'pcm', { channelCount: 1, channelCountMode: 'explicit' });
  const frames = [];
  node.port.onmessage = ({ data }) => data instanceof ArrayBuffer && frames.push(data);
  node.port.postMessage({ t: 'start', seq: 0, sample: 0 });
  const tone = new OscillatorNode(context, { frequency: hz });
  tone.connect(node).connect(context.destination);
  tone.start();
  // An offline context renders faster than messages travel: it begins once the worklet was told to.
  await new Promise((resolve) => setTimeout(resolve, 200));
  await context.startRendering();
  await new Promise((resolve) => setTimeout(resolve, 200));
  return frames.flatMap((frame) => [...new Int16Array(frame, 32, new DataView(frame).getUint16(8, true))]);
}"""


@pytest.mark.parametrize("rate", [48_000, 44_100])
def test_tones_above_the_band_do_not_fold_back_in_chromium(shared_server: RunningServer, rate: int) -> None:
    with browser(shared_server, None) as driven:
        page = driven.open()
        worklet = page.locator("mem-dictation").get_attribute("data-worklet")

        def level(hz: int) -> float:
            """Of the middle of the output, in dB of full scale, for a full-scale tone."""
            asked: dict[str, Any] = {"rate": rate, "hz": hz, "worklet": worklet}
            pcm = np.array(page.evaluate(_RENDER, asked), float) / 32768
            assert len(pcm) > 24_000
            middle = pcm[8000:24_000]
            return float(10 * np.log10(2 * np.mean(middle**2) + 1e-12))

        assert abs(level(1000)) < 0.05
        assert abs(level(7000)) < 0.05
        for hz in (9000, 10_000, 12_000, 15_000):
            assert level(hz) <= -80, f"{hz} Hz folds back"
