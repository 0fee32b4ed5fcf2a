"""What every test may ask for: a real server, real speech, a database that is thrown away."""

from __future__ import annotations

import importlib.util
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import pytest_django

from tests.browser.driving import browsers
from tests.running import ROOT, RunningServer

PACKAGES = (
    "nodejs chromium curl nginx libnginx-mod-rtmp python3 python3-gi gir1.2-gst-rtsp-server-1.0 "
    "gstreamer1.0-plugins-base gstreamer1.0-plugins-good postgresql redis-server"
)
"""What `.ci/run` installs: programs that some tests stand on."""
USUAL_SECONDS = {"speech": 20.0, "browser": 6.0, "process": 3.0}
"""About what one test of a kind takes; others take no time worth counting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest first: several run at once, and a long one begun last would run alone at the end."""
    seconds: defaultdict[Path, float] = defaultdict(float)
    for item in items:
        seconds[item.path] += max([0.1, *map(_usual_seconds, item.iter_markers())])
    items.sort(key=lambda item: -seconds[item.path])


@pytest.hookimpl(trylast=True)  # once the fixtures have let go of theirs
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Browsers run on from one test of a file to the next, and not beside tests of another kind."""
    if nextitem is None or nextitem.path != item.path or not nextitem.get_closest_marker("browser"):
        browsers.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was left out for want of a program: a skipped test alone is easily overlooked."""
    skipped = [report.longrepr for report in terminalreporter.stats.get("skipped", ())]
    reasons = Counter(reason.removeprefix("Skipped: ") for _, _, reason in skipped if "NOT tested" in reason)
    if reasons:
        terminalreporter.write_line(f"\n{'!' * 78}")
        for reason, count in sorted(reasons.items()):
            terminalreporter.write_line(f"{reason} ({count} test{'' if count == 1 else 's'})")
        terminalreporter.write_line(f"On Debian or Ubuntu: sudo apt-get install {PACKAGES}")
        terminalreporter.write_line("!" * 78)


def _usual_seconds(mark: pytest.Mark) -> float:
    """What a mark says of how long a test takes: one that is given much time needs some of it."""
    if mark.name == "timeout":
        return float(mark.args[0]) / 10
    return USUAL_SECONDS.get(mark.name, 0.0)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A database of this test run alone: a SQLite file (threads must share it), or one named by process."""
    from django.conf import settings
    from django.db import connections

    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        name = str(tmp_path_factory.mktemp("database") / "tests.sqlite3")
    else:
        name = f"test_memweb_{os.getpid()}"
    connections["default"].settings_dict["TEST"]["NAME"] = name


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker) -> Iterator[None]:
    """Empty it quickly after each test; let go of it before it is dropped: a thread that has just ended its work may
    still be connected."""
    from django.contrib.auth.management import create_permissions
    from django.contrib.contenttypes.management import create_contenttypes
    from django.db import connection
    from django.db.models.signals import post_migrate

    # Rights by model, which nothing here asks for: they would be written anew each time the tables were emptied.
    assert post_migrate.disconnect(dispatch_uid=f"{create_permissions.__module__}.{create_permissions.__name__}")
    assert post_migrate.disconnect(create_contenttypes)
    if connection.vendor == "postgresql":
        connection.ops.sql_flush = _deletions
    yield
    browsers.close()  # where a browser's test was the last of all: no database is dropped beside its event loop
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )


def _deletions(style: object, tables: Iterable[str], **kwargs: object) -> list[str]:
    """Empty the tables after a test. PostgreSQL makes new files where it truncates, which takes longer."""
    from django.db import connection

    return [f"DELETE FROM {connection.ops.quote_name(table)}" for table in tables]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server of this test's own, which may be killed."""
    with RunningServer(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for every test that leaves it as it was."""
    with RunningServer(tmp_path_factory.mktemp("shared-server")) as running:
        yield running


@pytest.fixture(scope="session")
def wheel_speech() -> dict[str, Path]:
    """Recordings that come with the engine's package: {"two_cities": ..., "beckett": ...} (WAV)."""
    found = importlib.util.find_spec("moonshine_voice")
    assert found is not None, "moonshine-voice is a dependency of memweb, and is missing"
    assert found.origin is not None
    assets = Path(found.origin).parent / "assets"
    return {path.stem: path for path in sorted(assets.glob("*.wav"))}


@pytest.fixture(scope="session")
def speech_clips() -> Path:
    """The folder of real clips with their manifest.json, beside the checkout."""
    folder = ROOT.parent / "shared" / "speech"
    if not (folder / "manifest.json").exists():
        pytest.skip(f"no speech clips: {folder.name}/manifest.json is not beside this checkout")
    return folder
