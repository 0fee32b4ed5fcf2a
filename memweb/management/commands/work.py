"""`manage.py work`: the background worker, with a pulse that others can feel."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection

from memweb.doctor import HEARTBEAT_FILE, HEARTBEAT_S
from memweb.supervised import watch_supervisor
from transcripts import jobs

logger = logging.getLogger(__name__)


REAP_S = 30.0


def _beat(pulse: Path, ended: threading.Event) -> None:
    """Touch the pulse file until the end, which also removes it."""
    while not ended.is_set():
        pulse.touch()
        ended.wait(HEARTBEAT_S)
    pulse.unlink(missing_ok=True)


def _reap(ended: threading.Event) -> None:
    """Put back what killed workers left half done: now, and each time a lease may have run out."""
    while not ended.is_set():
        try:
            jobs.reap()
        except DatabaseError:
            logger.exception("Jobs could not be looked through; tried again in %.0f s", REAP_S)
        finally:
            connection.close()
        ended.wait(REAP_S)


class Command(BaseCommand):
    """Take tasks until told to stop."""

    help = "Run background work: sealing recordings, second passes."

    def handle(self, *args: Any, **options: Any) -> None:
        """Returns on TERM or INT, after the task in hand."""
        watch_supervisor()
        ended = threading.Event()
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True)
        pulse = settings.DATA_DIR / HEARTBEAT_FILE
        threads = [
            threading.Thread(target=_beat, args=(pulse, ended), name="heartbeat", daemon=True),
            threading.Thread(target=_reap, args=(ended,), name="reaper", daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            call_command("db_worker", queue_name="*", interval=0.5, startup_delay=False, reload=False)
        finally:
            ended.set()
            threads[0].join()
