"""An account into one zip, written as a stream: a record's rows are of one moment, and no more than a few rows, or a
piece of a file, are ever in memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from memweb.accounts.models import Preferences, User
from transcripts import recordings, uploads
from transcripts.archive import kinds, lines
from transcripts.archive.kinds import Kind
from transcripts.archive.lines import Line, Links
from transcripts.callbacks.inbox import Callback
from transcripts.models import Edit, Job, Record, Recording, Speaker, Tag, Upload, Version
from transcripts.taken_away.zipped import Zip

FORMAT = "memweb archive"
NUMBER = 1
"""Of the format. What an older memweb would read wrongly, or lose, raises it."""
UNFINISHED = "This was not finished when the archive was made. What had come by then is here. Retry."
STILL_PULLED = "The stream was still going on when the archive was made. What was said until then is here."

_PIECE = 256 * 1024
_IN_MEMORY = 4 * 2**20
_TRIES = 3
PENDING = (Job.Status.QUEUED, Job.Status.RUNNING, Job.Status.AWAITING)


@dataclass(slots=True)
class Told:
    """What memweb.json says of the rest."""

    counts: Counter[str] = field(default_factory=Counter)
    unfinished: list[str] = field(default_factory=list)
    without_recording: list[str] = field(default_factory=list)
    """Records whose recording could not be read in this house."""


def pack(
    *, owner: User, sound: bool = True, progress: Callable[[int], None] = lambda percent: None
) -> Generator[bytes, None, None]:
    """The archive's bytes. `sound`: with the recordings. What is going on is in it as far as it is committed."""
    archive, told = _Writing(), Told()
    yield from archive.add("account.json", [_account(owner)])
    ids = list(Record.objects.filter(owner=owner).order_by("started_at", "pk").values_list("pk", flat=True))
    for number, record_id in enumerate(ids):
        yield from _record(archive, owner, record_id, sound, told)
        progress(number * 100 // len(ids))
    yield from archive.add("callbacks.jsonl", _callbacks(owner, told))
    sums = archive.sums()
    yield from archive.add("SHA256SUMS", [sums])
    yield from archive.add("memweb.json", [_summary(owner, sound, told, sums)])
    yield archive.end()
    progress(100)


class _Writing:
    """The zip in the making, and the digest of each of its files."""

    def __init__(self) -> None:
        self._zip = Zip()
        self._digests: dict[str, str] = {}
        self._now = timezone.now()

    def add(self, name: str, pieces: Iterable[bytes], *, packed: bool = True) -> Iterator[bytes]:
        digest = hashlib.sha256()

        def digested() -> Iterator[bytes]:
            for piece in pieces:
                digest.update(piece)
                yield piece

        yield from self._zip.add(name, self._now, digested(), packed=packed)
        self._digests[name] = digest.hexdigest()

    def end(self) -> bytes:
        return self._zip.end()

    def sums(self) -> bytes:
        """As `sha256sum` writes them and `sha256sum -c` reads them."""
        return "".join(f"{digest}  {name}\n" for name, digest in self._digests.items()).encode()


def _summary(owner: User, sound: bool, told: Told, sums: bytes) -> bytes:
    said = {
        "format": FORMAT,
        "version": NUMBER,
        "made_at": timezone.now().isoformat(),
        "account": owner.username,
        "recordings": sound,
        "counts": dict(sorted(told.counts.items())),
        "unfinished": told.unfinished,
        "without_recording": told.without_recording,
        "sums_sha256": hashlib.sha256(sums).hexdigest(),
    }
    return json.dumps(said, indent=1).encode() + b"\n"


def _account(owner: User) -> bytes:
    preferences = Preferences.objects.filter(user=owner).values(*kinds.PREFERENCES.carried).first()
    said = {
        "preferences": lines.fields_of(kinds.PREFERENCES, preferences, {}) if preferences else None,
        "tags": list(Tag.objects.filter(owner=owner).order_by("name").values_list("name", flat=True)),
    }
    return json.dumps(said, indent=1, sort_keys=True).encode() + b"\n"


def _record(archive: _Writing, owner: User, record_id: uuid.UUID, sound: bool, told: Told) -> Iterator[bytes]:
    for last in (False,) * (_TRIES - 1) + (True,):
        with ExitStack() as open_until:
            taken = _take(owner, record_id, sound, last, open_until)
            if taken is None:
                continue
            told.counts.update(taken.counts)
            if not taken.counts:
                return  # erased meanwhile
            if taken.unfinished:
                told.unfinished.append(str(record_id))
            if taken.lacks_sound:
                told.without_recording.append(str(record_id))
            yield from archive.add(f"records/{record_id}.jsonl", _all_of(taken.file))
            for name, file in taken.sound:
                yield from archive.add(name, _up_to(file, os.fstat(file.fileno()).st_size), packed=False)
            return


def _all_of(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _up_to(file: BinaryIO, size: int) -> Iterator[bytes]:
    """No more than there is now: a spool may be growing."""
    while size > 0 and (piece := file.read(min(_PIECE, size))):
        size -= len(piece)
        yield piece


@dataclass(slots=True)
class _Taken:
    """A record at one moment: its lines in a file without a name, and its sound, opened."""

    file: IO[bytes]
    sound: list[tuple[str, BinaryIO]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    unfinished: bool = False
    lacks_sound: bool = False


def _take(owner: User, record_id: uuid.UUID, sound: bool, last: bool, open_until: ExitStack) -> _Taken | None:
    """None where the recording was being sealed just now: then once more."""
    taken = _Taken(open_until.enter_context(_file_without_a_name()))
    spool = _opened(recordings.spool_path(record_id), open_until) if sound else None
    with snapshot():
        record = Record.objects.filter(pk=record_id, owner=owner).first()
        if record is None:
            return taken
        taken.unfinished = record.status in (Record.Status.LIVE, Record.Status.FINISHING)
        if sound:
            if record.status != Record.Status.READY and spool is not None:
                taken.sound.append((f"recordings/{record_id}.mwspool", spool))
            recording = Recording.objects.filter(record=record).first()
            if recording is not None and not _add_recording(taken, recording, open_until):
                if not last:
                    return None
                taken.lacks_sound = True
        for line in record_lines(record, sound=sound and not taken.lacks_sound):
            taken.counts[line.kind] += 1
            taken.file.write(lines.written(line))
        if sound:
            _add_uploads(taken, record, open_until)
    taken.file.seek(0)
    return taken


def _file_without_a_name() -> IO[bytes]:
    """In memory while it is small, then on the disk of the uploads; gone when it is closed."""
    folder = Path(settings.UPLOAD_DIR)
    folder.mkdir(parents=True, exist_ok=True)
    return cast(IO[bytes], tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(folder)))


def _opened(path: Path, open_until: ExitStack) -> BinaryIO | None:
    try:
        return open_until.enter_context(path.open("rb"))
    except FileNotFoundError:
        return None


def _add_recording(taken: _Taken, recording: Recording, open_until: ExitStack) -> bool:
    file = _opened(recordings.audio_path(recording), open_until)
    if file is None or os.fstat(file.fileno()).st_size != recording.size:
        return False
    taken.sound.append((f"recordings/{recording.record_id}.flac", file))
    return True


def _add_uploads(taken: _Taken, record: Record, open_until: ExitStack) -> None:
    """Files as they came, where they are kept: a damaged one, or one that is still to be read."""
    for number, pk in enumerate(_rows_of(kinds.UPLOAD, record).values_list("pk", flat=True), 1):
        file = _opened(uploads.path_of(pk), open_until)
        if file is not None:
            taken.sound.append((f"recordings/{record.pk}.{number}.upload", file))


@contextmanager
def snapshot() -> Iterator[None]:
    """All that is read within is of one moment, and nobody who writes waits for it."""
    database: Any = connection
    if database.in_atomic_block:
        yield
        return
    own = getattr(database, "transaction_mode", None)
    if database.vendor == "sqlite":
        database.transaction_mode = "DEFERRED"  # IMMEDIATE would hold up writers
    try:
        with transaction.atomic():
            if database.vendor == "postgresql":
                with database.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    finally:
        if database.vendor == "sqlite":
            database.transaction_mode = own


def record_lines(record: Record, *, sound: bool = True) -> Generator[Line, None, None]:
    """All of one record, the same in every database. What is under way is told as stopped: nobody is at it there."""
    links = _links(record)
    for kind in kinds.OF_A_RECORD:
        if sound or kind not in kinds.SOUND:
            rows = _rows_of(kind, record).order_by(*kind.order).values(*lines.columns(kind))
            for row in rows.iterator(chunk_size=500):
                yield _settled(kind, lines.fields_of(kind, row, links), record)
        if kind is kinds.JOB and _is_left_open(record):
            yield _seal_to_be(record)


def _rows_of(kind: Kind, record: Record) -> Any:
    found: Any = kind.model._default_manager
    if kind is kinds.RECORD:
        return found.filter(pk=record.pk)
    if kind is kinds.SEGMENT:
        return found.filter(version__record=record)
    if kind is kinds.CALLBACK:
        return found.filter(job__record=record, owner_id=record.owner_id)
    if kind is kinds.UPLOAD:
        return found.filter(record=record, status=Upload.Status.TAKEN).order_by(*kind.order)
    return found.filter(record=record)


def _links(record: Record) -> Links:
    """By kind: how a row is named in the archive."""

    def placed(model: Any) -> dict[int, int]:
        found = model.objects.filter(record=record).order_by("pk").values_list("pk", flat=True)
        return {pk: place for place, pk in enumerate(found, 1)}

    return {
        "version": dict(Version.objects.filter(record=record).values_list("pk", "number")),
        "speaker": dict(Speaker.objects.filter(record=record).values_list("pk", "label")),
        "edit": placed(Edit),
        "job": placed(Job),
        "owner": {record.owner_id: "owner"},
    }


def _is_left_open(record: Record) -> bool:
    return record.status == Record.Status.LIVE and record.source == Record.Source.DICTATION


def _settled(kind: Kind, fields: dict[str, Any], record: Record) -> Line:
    if kind is kinds.RECORD:
        fields["tags"] = list(record.tags.order_by("name").values_list("name", flat=True))
        if record.status == Record.Status.LIVE and record.source == Record.Source.STREAM:
            fields |= {"status": Record.Status.READY.value, "status_reason": STILL_PULLED}
        elif record.status in (Record.Status.LIVE, Record.Status.FINISHING):
            fields |= {"status": Record.Status.FAILED.value, "status_reason": UNFINISHED}
    if kind is kinds.JOB and fields["status"] in PENDING:
        fields |= {"status": Job.Status.FAILED.value, "reason": UNFINISHED}
    return Line(kind.name, fields)


def _seal_to_be(record: Record) -> Line:
    """A dictation that was left open becomes readable by Retry, which seals what there is of it."""
    job = Job(
        kind=Job.Kind.SEAL, status=Job.Status.FAILED, reason=UNFINISHED, due_at=record.started_at,
        created_at=record.started_at,
    )  # fmt: skip
    row = {name: getattr(job, name) for name in lines.columns(kinds.JOB)}
    return Line(kinds.JOB.name, lines.fields_of(kinds.JOB, row, {}))


def _callbacks(owner: User, told: Told) -> Iterator[bytes]:
    """Those of no record: nobody asked for their task, or they could not be read."""
    with _file_without_a_name() as file:
        with snapshot():
            rows = Callback.objects.filter(owner=owner, job=None).order_by("pk").values(*lines.columns(kinds.CALLBACK))
            for row in rows.iterator(chunk_size=50):
                file.write(lines.written(Line(kinds.CALLBACK.name, lines.fields_of(kinds.CALLBACK, row, {"job": {}}))))
                told.counts["callback"] += 1
        file.seek(0)
        yield from _all_of(file)


def written_to(path: Path, pieces: Iterator[bytes]) -> int:
    """Write it whole or not at all; how many bytes. Raises OSError."""
    draft = path.with_name(f"{path.name}.part")
    size = 0
    try:
        with draft.open("xb") as file:
            os.fchmod(file.fileno(), 0o600)
            for piece in pieces:
                size += file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike a rename, it takes nobody's place
    finally:
        if size or draft.exists():
            draft.unlink(missing_ok=True)
    recordings.sync_folder(path.parent)
    return size
