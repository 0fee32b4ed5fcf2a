"""The web process loads nothing native, tells its engines no secret, and they need no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from memweb.engines import process
from tests.running import ROOT

NATIVE = ("numpy", "moonshine_voice", "faster_whisper", "ctranslate2", "onnxruntime", "av", "tokenizers")


def test_using_the_engines_loads_nothing_native(tmp_path: Path) -> None:
    code = (
        "import os, sys, asyncio\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'memweb.settings'\n"
        "import django; django.setup()\n"
        "from memweb.engines import batch, live\n"
        "batch.describe()\n"
        "async def main():\n"
        "    stream = await live.open_stream('en')\n"
        "    await stream.feed(bytes(32000)); await stream.finish()\n"
        "    print([type(event).__name__ async for event in stream])\n"
        "    await live.close()\n"
        "asyncio.run(main())\n"
        f"print([name for name in {NATIVE!r} if name in sys.modules])\n"
    )
    environment = {**os.environ, "MEMWEB_DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.splitlines() == ["['Ended']", "[]"]


def test_an_engine_process_is_told_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MEMWEB_SECRET_KEY", "DATABASE_URL", "MEMWEB_GATEWAY_KEY", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "do-not-tell")
    assert "do-not-tell" not in process.environment().values()


def test_both_engines_work_without_any_network(tmp_path: Path, two_cities: bytes, models_dir: Path) -> None:
    """In an empty network namespace: not even loopback is up."""
    alone = ["unshare", "--user", "--map-root-user", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system cannot make an empty network namespace")
    speech = tmp_path / "speech.pcm"
    speech.write_bytes(two_cities[: 12 * 32_000])
    code = (
        "import os, sys, asyncio\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'memweb.settings'\n"
        "import django; django.setup()\n"
        "from memweb.engines import batch, live\n"
        "from memweb.speech.events import Final\n"
        "pcm = open(sys.argv[1], 'rb').read()\n"
        "async def main():\n"
        "    for language in ('en', None):\n"
        "        stream = await live.open_stream(language)\n"
        "        await stream.feed(pcm); await stream.finish()\n"
        "        print('|'.join([event.segment.text async for event in stream if isinstance(event, Final)]))\n"
        "    await live.close()\n"
        "asyncio.run(main())\n"
        "print('|'.join(segment.text for segment in batch.transcribe([pcm], None)))\n"
    )
    environment = {**os.environ, "MEMWEB_DATA_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [*alone, sys.executable, "-c", code, str(speech)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=240, check=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all("times" in line for line in lines)
