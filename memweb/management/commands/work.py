"""`manage.py work`: the background worker, with a pulse that others can feel."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.utils.crypto import get_random_string
from django_tasks_db.management.commands.db_worker import Worker

from memweb.gateway import assets, tasks, transcribing
from memweb.pulse import HEARTBEAT_FILE, HEARTBEAT_S
from memweb.stopping import stopping
from memweb.supervised import watch_supervisor
from transcripts import jobs, streaming, uploads
from transcripts.callbacks import applying
from transcripts.files import watching

logger = logging.getLogger(__name__)


QUEUES = ("default", "long", "files", "files", "files")
"""Each has a thread of its own: what lasts minutes ("long") never delays what lasts a moment, and what waits for a
gateway ("files") holds up neither: the gateway may be the one built in, whose own tasks are long."""
LET_GO_S = 2.0
"""So long a stop waits for who has a task in hand: most let go in a moment. What is left then is put back all the same,
and goes on in another worker."""
LOOK_S = 0.5
REAP_S = 30.0
STREAMS_S = 5.0
AGAIN_S = 2.0
REAPERS: tuple[Callable[[], object], ...] = (
    jobs.reap,
    applying.reap,
    uploads.sweep,
    tasks.reap,
    assets.sweep,
    transcribing.reap,
)


class Queue(threading.Thread):
    """Takes the tasks of one queue, one after another, until told to stop; a database that is away is waited for."""

    def __init__(self, name: str) -> None:
        super().__init__(name=f"queue-{name}", daemon=True)
        self._ended = threading.Event()
        self._worker = Worker(
            queue_names=[name],
            interval=LOOK_S,
            batch=False,
            backend_name="default",
            startup_delay=False,
            max_tasks=None,
            worker_id=get_random_string(32),
            excluded_queue_names=[],
        )

    def stop(self) -> None:
        """Take no further task. The one in hand goes on until it looks whether this process is to end."""
        self._ended.set()
        self._worker.running = False

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                self._worker.run()
            except DatabaseError:
                logger.exception("The database does not answer; tried again in %.0f s", AGAIN_S)
                self._ended.wait(AGAIN_S)
            finally:
                connection.close()


def _beat(pulse: Path, ended: threading.Event) -> None:
    """Touch the pulse file until the end, which also removes it."""
    while not ended.is_set():
        pulse.touch()
        ended.wait(HEARTBEAT_S)
    pulse.unlink(missing_ok=True)


def _reap(ended: threading.Event) -> None:
    """Put back what killed workers left half done: now, and each time a lease may have run out."""
    while not ended.is_set():
        for reap in REAPERS:
            try:
                reap()
            except (DatabaseError, OSError):
                logger.exception("Lost work could not be looked for; tried again in %.0f s", REAP_S)
        connection.close()
        ended.wait(REAP_S)


def _stop_streams(ended: threading.Event) -> None:
    """Stop the streams whose time is over, end those that went silent. It asks gateways: it has a thread of its own."""
    while not ended.is_set():
        try:
            streaming.look_after()
        except DatabaseError:
            logger.exception("Streams to be stopped could not be looked for; tried again in %.0f s", STREAMS_S)
        connection.close()
        ended.wait(STREAMS_S)


def _watch(ended: threading.Event) -> None:
    """Look into the watched folder every few seconds."""
    while not ended.is_set():
        try:
            watching.look()
        except (DatabaseError, OSError):
            logger.exception("The watched folder could not be looked through; tried again in %.0f s", watching.EVERY_S)
        connection.close()
        ended.wait(watching.EVERY_S)


class Command(BaseCommand):
    """Take tasks until told to stop."""

    help = "Run background work: sealing recordings, second passes, transcriptions of files."

    def handle(self, *args: Any, **options: Any) -> None:
        """Returns on TERM or INT, as soon as what is in hand is done or put back; a second signal ends it at once."""
        watch_supervisor()
        asked, ended = threading.Event(), threading.Event()
        _on_signals(asked)
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
        heart = threading.Thread(
            target=_beat, args=(settings.DATA_DIR / HEARTBEAT_FILE, ended), name="heartbeat", daemon=True
        )
        heart.start()
        threading.Thread(target=_reap, args=(ended,), name="reaper", daemon=True).start()
        threading.Thread(target=_stop_streams, args=(ended,), name="streams", daemon=True).start()
        if settings.WATCH_DIR:
            threading.Thread(target=_watch, args=(ended,), name="watcher", daemon=True).start()
        queues = [Queue(name) for name in QUEUES]
        for queue in queues:
            queue.start()
        while not asked.wait(LOOK_S) and all(queue.is_alive() for queue in queues):
            pass
        _let_go(queues)
        ended.set()
        heart.join()
        if not asked.is_set():
            raise SystemExit("A queue stopped by itself; the lines above say why.")


def _let_go(queues: list[Queue]) -> None:
    """Stop the queues; what is in hand is done in a moment, or put back for another worker."""
    for queue in queues:
        queue.stop()
    stopping.set()
    until = time.monotonic() + LET_GO_S
    for queue in queues:
        queue.join(max(until - time.monotonic(), 0))
    jobs.put_back_all()
    tasks.put_back_all()


def _on_signals(asked: threading.Event) -> None:
    """TERM and INT ask for the end; the second time they bring it."""

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise SystemExit(1)
        asked.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
