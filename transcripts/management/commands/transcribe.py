"""`./run transcribe FILE...`: recordings into text, on this machine or at the gateway that is configured.

Nothing of memweb need be running, and nothing is kept: the text is printed, or written beside other results with --to.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from memweb.accounts.services import ensure_owner
from memweb.engines import batch as engine
from memweb.engines.errors import EngineError
from memweb.media import decode
from memweb.media.errors import NotMedia
from memweb.speech.dialects import batch
from memweb.speech.formats import FORMATS, Options
from memweb.speech.transcript import Transcript
from memweb.upstream.address import Gateway
from memweb.upstream.errors import UpstreamError
from memweb.upstream.http import Client
from transcripts.files import asked
from transcripts.management.progress import Progress

WHISPER = "whisper-1"


class Command(BaseCommand):
    help = "Transcribe recordings and print the text, or write it with --to."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="audio or video")
        parser.add_argument("--format", default="txt", choices=list(FORMATS), help="txt unless told otherwise")
        parser.add_argument("--language", default="", help="such as en; detected when left out")
        parser.add_argument(
            "--to", metavar="FOLDER", help="write a file for each recording into this folder; none is replaced"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Exits with 1 when a file could not be transcribed; the others are all the same."""
        folder = _folder(options["to"])
        if folder is None and not FORMATS[options["format"]].is_text:
            raise CommandError(f"A {options['format']} is no text to print. Say where it goes, with --to FOLDER.")
        gateway = asked.gateway_of(ensure_owner())
        if options["language"] and not gateway.built_in:
            self.stderr.write("The gateway's Whisper cannot be told a language. It finds it by itself.")
        failed = 0
        for name in options["files"]:
            path, progress = Path(name), Progress(Path(name).name)
            try:
                transcript = _transcribed(path, gateway, options["language"], progress)
            except (NotMedia, EngineError, UpstreamError, OSError) as error:
                failed += 1
                progress.end()
                self.stderr.write(f"{name}: {_why(error)}")
                continue
            progress.end()
            self._give(path, transcript, options["format"], folder)
        if failed:
            raise CommandError(f"{failed} of {len(options['files'])} could not be transcribed.")

    def _give(self, path: Path, transcript: Transcript, extension: str, folder: Path | None) -> None:
        data = FORMATS[extension].write(transcript, Options(title=""))
        if folder is None:
            self.stdout.write(data.decode(), ending="")
            return
        self.stderr.write(str(_written(folder, path.stem, extension, data)))


def _written(folder: Path, stem: str, extension: str, data: bytes) -> Path:
    """Where it lies: under a name of its own, since what has the name may be another recording's, or corrected."""
    target, number = folder / f"{stem}.{extension}", 1
    while True:
        try:
            with target.open("xb") as file:
                file.write(data)
            return target
        except FileExistsError:
            number += 1
            target = folder / f"{stem} {number}.{extension}"


def _folder(name: str | None) -> Path | None:
    if name is None:
        return None
    folder = Path(name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"The folder {name} cannot be made ({error.strerror}).") from error
    return folder


def _transcribed(path: Path, gateway: Gateway, language: str, progress: Progress) -> Transcript:
    if gateway.built_in:
        return _here(path, language, progress)
    with path.open("rb") as file, Client(gateway) as client:
        size = max(path.stat().st_size, 1)
        asset = client.upload(file, path.name, lambda sent: progress(sent * 100 // size))
        return batch.read(WHISPER, client.transcribe(asset).data).transcript


def _here(path: Path, language: str, progress: Progress) -> Transcript:
    """By the engine of this machine, with no server between."""
    with decode.recording(path) as media:
        heard = engine.transcribe(media.pieces(), language or None, progress, duration_ms=media.info.sound_ms)
        segments = tuple(heard)
    found = next((segment.language for segment in segments if segment.language), None)
    return Transcript(segments, found or language or None, media.decoded_ms)


def _why(error: Exception) -> str:
    if isinstance(error, UpstreamError):
        return error.advice
    if isinstance(error, OSError):
        return error.strerror or "It cannot be read."
    return str(error)
