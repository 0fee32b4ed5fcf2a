"""Whether this process can serve: asked by the supervisor, by proxies and by tests."""

from __future__ import annotations

import threading

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

BEHIND = "The database is not set up, or not for this version. Start memweb once with ./run, or type ./run migrate."
_draining = threading.Event()
_migrated = threading.Event()


def drain() -> None:
    """From now on say that this process is going away, so that nothing new is sent to it."""
    _draining.set()


def is_draining() -> bool:
    """Whether `drain` was called."""
    return _draining.is_set()


def trouble() -> str:
    """Why nothing can be served now, as a sentence; empty when all is well."""
    if is_draining():
        return "This server is going away."
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if not _migrated.is_set():
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                return BEHIND
            _migrated.set()
    except DatabaseError:
        return "The database does not answer."
    return ""


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 {"status": "ok"} when this process can serve, else 503 with the reason."""
    reason = trouble()
    if reason:
        return JsonResponse({"status": "unavailable", "reason": reason}, status=503)
    return JsonResponse({"status": "ok"})
