"""An archive into an account. Nothing that is there is overwritten, and the same again changes nothing.

Each record comes in whole or not at all: its sound is safe on disk first, then its rows in one transaction. So this can
be killed anywhere, and run again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DataError, IntegrityError, models, transaction

from memweb.accounts import services as accounts
from memweb.accounts.models import Preferences, User
from memweb.media import decode
from memweb.media.errors import NotMedia
from transcripts import recordings, search, uploads
from transcripts.archive import kinds, lines, packing
from transcripts.archive.keeping import Rows, keep_callback, keep_recording, tag_of
from transcripts.archive.lines import Line, Wrong
from transcripts.archive.opening import Damaged, Opened
from transcripts.callbacks.inbox import Callback
from transcripts.errors import NoRoom, Refused
from transcripts.models import Record, Recording, Upload

_TRIES = 5
NAMESPACE = uuid.UUID("0a8c5f0e-51e1-4c6e-9b55-6d656d776562")
"""Of the ids of records that cannot have the one they had: the same record always gets the same."""


@dataclass(slots=True)
class Brought:
    """What came of it, in records."""

    came: int = 0
    renamed: int = 0
    """Of those that came: under another id, because theirs is taken."""
    here: int = 0
    """Were here already, the same."""
    completed: int = 0
    """Of those: without their recording, which has come now."""
    trouble: list[str] = field(default_factory=list)
    """Sentences about what did not come, or not whole."""

    @property
    def troubles(self) -> str:
        """What did not come, in no great length."""
        more = len(self.trouble) - 3
        return " ".join([*self.trouble[:3], *([f"And {more} more like that."] if more > 0 else [])])

    @property
    def counted(self) -> str:
        """What came, as a sentence."""
        said = [f"{_count(self.came)} brought in"]
        if self.here:
            said.append(f"{self.here} {'was' if self.here == 1 else 'were'} here already")
        if self.completed:
            said.append(
                f"{self.completed} of those got {'its recording' if self.completed == 1 else 'their recordings'}"
            )
        if self.renamed:
            said.append(f"{self.renamed} of them at a new address, because theirs was taken")
        return ", ".join(said) + "."


def _count(records: int) -> str:
    return "1 transcript" if records == 1 else f"{records} transcripts"


def bring_in(path: Path, *, owner: User, progress: Callable[[int], None] = lambda percent: None) -> Brought:
    """Everything of an archive that is not here yet. Raises Refused with a sentence; then nothing came of it."""
    with Opened(path) as archive:
        _needs_room(archive)
        brought, done, whole = Brought(), 0, max(archive.sizes[0], 1)
        _account(archive, owner)
        for record_id in archive.records:
            try:
                _Coming(archive, owner, record_id).come(brought)
            except (Damaged, Wrong) as error:
                brought.trouble.append(_told(record_id, error))
            done += sum(archive.packed(name) for name in archive.of(record_id))
            progress(min(done * 100 // whole, 99))
        if "callbacks.jsonl" in archive:
            _callbacks(archive, owner, brought)
        progress(100)
    return brought


def _told(record_id: uuid.UUID, error: Refused) -> str:
    if isinstance(error, Damaged):
        return f"{error} is damaged, so this transcript did not come in."
    if str(error) == lines.NEWER:
        return f"Transcript {record_id} did not come in. {lines.NEWER}"
    return f"Transcript {record_id} did not come in: {error}."


def _needs_room(archive: Opened) -> None:
    """Raises NoRoom. Rows take about as much as their lines, and so does their index."""
    folder = Path(settings.AUDIO_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < archive.sizes[1] * 2 + uploads.RESERVE:
        raise NoRoom(NO_ROOM)


NO_ROOM = "There is not enough room on this server's disk for what is in this archive. Free some space, then try again."


def _account(archive: Opened, owner: User) -> None:
    """Tags, and choices where this person has made none here yet."""
    try:
        said = json.loads(archive.whole("account.json"))
        tags = [lines.storable(tag) for tag in said["tags"] if isinstance(tag, str)]
        chosen = said["preferences"] and lines.row_of(kinds.PREFERENCES, said["preferences"], {})
    except (Damaged, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(SPOILT_ACCOUNT) from error
    with transaction.atomic():
        for name in tags:
            tag_of(owner, name)
        if chosen and _has_chosen_nothing(owner):
            accounts.save_preferences(user=owner, **{name: getattr(chosen, name) for name in kinds.PREFERENCES.carried})


SPOILT_ACCOUNT = "This archive is damaged: account.json cannot be read. Nothing was brought in. Fetch or copy it again."


def _has_chosen_nothing(owner: User) -> bool:
    chosen = Preferences.objects.filter(user=owner).first()
    fresh = Preferences()
    names = (*kinds.PREFERENCES.carried, "gateway_url")
    return chosen is None or all(getattr(chosen, name) == getattr(fresh, name) for name in names)


class _Coming:
    """One record of an archive on its way in."""

    def __init__(self, archive: Opened, owner: User, record_id: uuid.UUID) -> None:
        self._archive, self._owner, self._id = archive, owner, record_id
        self._lines = f"records/{record_id}.jsonl"

    def come(self, brought: Brought) -> None:
        """Raises Damaged, Wrong; then nothing of it is here."""
        held = content(self._archive.lines(self._lines))
        for _ in range(_TRIES):
            place, there = self._place(held)
            if there is not None:
                brought.here += 1
                brought.completed += self._complete(there, brought)
                return
            try:
                self._keep(place, brought)
            except (IntegrityError, DataError) as error:
                if Record.objects.filter(pk=place).exists():
                    continue  # somebody else brought it in just now
                raise Wrong("its lines contradict each other") from error
            brought.came += 1
            brought.renamed += place != self._id
            return
        raise Wrong("it is being brought in twice at once")

    def _place(self, held: str) -> tuple[uuid.UUID, Record | None]:
        """The id it gets, or the record that is here already and holds the same."""
        place, number = self._id, 0
        while True:
            there = Record.objects.filter(pk=place).first()
            if there is None:
                return place, None
            if there.owner_id == self._owner.pk:
                with packing.snapshot():
                    if content(packing.record_lines(there, sound=False)) == held and self._sounds_like(there):
                        return place, there
            number += 1
            place = uuid.uuid5(NAMESPACE, f"{self._owner.pk}/{self._id}/{held}/{number}")

    def _sounds_like(self, there: Record) -> bool:
        """Whether its recording is the same; one of the two may have none."""
        mine = Recording.objects.filter(record=there).values_list("pcm_sha256", flat=True).first()
        theirs = self._recording()
        return mine is None or theirs is None or mine == theirs.pcm_sha256

    def _recording(self) -> Recording | None:
        """As the archive tells of it."""
        if f"recordings/{self._id}.flac" not in self._archive:
            return None
        with closing(self._archive.lines(self._lines)) as told:
            for line in told:
                if line.kind == "recording":
                    row: Recording = lines.row_of(kinds.RECORDING, line.fields, {})
                    return row
        return None

    def _complete(self, there: Record, brought: Brought) -> bool:
        """Give a record that is here the recording it came without."""
        recording = self._recording()
        if recording is None or Recording.objects.filter(record=there).exists():
            return False
        with ExitStack() as undo:
            if not self._bring_sound(there.pk, recording, brought, undo):
                return False
            with transaction.atomic():
                Record.objects.select_for_update(of=("self",)).get(pk=there.pk)
                if Recording.objects.filter(record=there).exists():
                    return False
                keep_recording(recording, there.pk)
            undo.pop_all()
        return True

    def _keep(self, place: uuid.UUID, brought: Brought) -> None:
        """Its files first, safe on disk; taken away again where the rows are not kept after all."""
        with ExitStack() as undo:
            sound = self._bring_sound(place, self._recording(), brought, undo)
            kept = self._bring_files(place, undo)
            with closing(self._archive.lines(self._lines)) as told, transaction.atomic():
                Rows(self._owner, place, sound, kept).keep(told)
                search.index_record(record_id=place)
            undo.pop_all()

    def _bring_sound(self, place: uuid.UUID, recording: Recording | None, brought: Brought, undo: ExitStack) -> bool:
        """The recording in its final place and found to be what it says; False where there is none to keep."""
        if recording is None:
            return False
        path = Path(settings.AUDIO_DIR) / f"{place}.flac"
        name = f"recordings/{self._id}.flac"
        try:
            self._copy(name, path, lambda draft: _is_what_it_says(draft, recording))
        except Damaged:
            brought.trouble.append(f"{name} is damaged: its transcript is here without it.")
            return False
        undo.callback(_drop, path, Recording.objects.filter(record_id=place))
        return True

    def _bring_files(self, place: uuid.UUID, undo: ExitStack) -> dict[int, uuid.UUID]:
        """What was not sealed or not read yet. By number: the ids of the uploads."""
        spool = f"recordings/{self._id}.mwspool"
        if spool in self._archive:
            self._copy(spool, recordings.spool_path(place))
            undo.callback(_drop, recordings.spool_path(place), Record.objects.filter(pk=place))
        kept: dict[int, uuid.UUID] = {}
        for number, name in self._archive.uploads_of(self._id):
            kept[number] = uuid.uuid4()
            self._copy(name, uploads.path_of(kept[number]))
            undo.callback(_drop, uploads.path_of(kept[number]), Upload.objects.filter(pk=kept[number]))
        return kept

    def _copy(self, name: str, path: Path, is_right: Callable[[Path], bool] = lambda draft: True) -> None:
        """A member as a file, safe on disk. Raises Damaged."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{uuid.uuid4()}.part")
        try:
            with draft.open("xb") as file:
                os.fchmod(file.fileno(), 0o600)
                for piece in self._archive.pieces(name):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            if not is_right(draft):
                raise Damaged(name)
            draft.replace(path)
            recordings.sync_folder(path.parent)
        finally:
            draft.unlink(missing_ok=True)


def _drop(path: Path, rows: models.QuerySet[Any]) -> None:
    """Unless somebody else has brought the same in meanwhile."""
    if not rows.exists():
        path.unlink(missing_ok=True)


def content(told: Generator[Line, None, None]) -> str:
    """A digest of what a record holds: the same for the same in every database, wherever the record lies."""
    digest = hashlib.sha256()
    with closing(told):
        for line in told:
            kind = kinds.BY_NAME.get(line.kind)
            if kind is None:
                raise Wrong(lines.NEWER)
            if kind not in kinds.SOUND:
                digest.update(lines.compared(kind, line))
    return digest.hexdigest()


def _is_what_it_says(path: Path, recording: Recording) -> bool:
    """Read as any file of a stranger is: far from here. Then this house may take it for its own."""
    digest, samples = hashlib.sha256(), 0
    with path.open("rb") as file:
        if file.read(4) != b"fLaC" or path.stat().st_size != recording.size:
            return False
    try:
        with decode.recording(path) as media:
            for pcm in media.pieces():
                digest.update(pcm)
                samples += len(pcm) // 2
    except NotMedia:
        return False
    return (samples, digest.hexdigest()) == (recording.samples, recording.pcm_sha256)


def _callbacks(archive: Opened, owner: User, brought: Brought) -> None:
    """Those of no record, in pieces: what came at the same moment with the same body is the same."""
    try:
        archive.check("callbacks.jsonl")
        with closing(archive.lines("callbacks.jsonl")) as told:
            while batch := list(islice(told, 50)):
                with transaction.atomic():
                    for line in batch:
                        _callback(line, owner)
    except (Damaged, Wrong, DataError, IntegrityError):
        brought.trouble.append("callbacks.jsonl is damaged: what gateways said of no transcript did not come in.")


def _callback(line: Line, owner: User) -> None:
    if line.kind != kinds.CALLBACK.name:
        raise Wrong("a line is of another kind")
    row: Callback = lines.row_of(kinds.CALLBACK, line.fields, {"job": {}})
    row.owner = owner
    same = Callback.objects.filter(owner=owner, arrived_at=row.arrived_at, digest=row.digest)
    if not same.exists():
        keep_callback(row)
