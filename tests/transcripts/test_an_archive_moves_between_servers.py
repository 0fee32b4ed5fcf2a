"""From a real server into an empty one on the other database, and back: by the commands people type, and by page."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.everything import _database
from tests.running import RunningServer

pytestmark = pytest.mark.process

# Records and jobs that were under way are told as stopped.
SETTLED = ("Version", "Segment", "Speaker", "Edit", "Mark", "Message", "Recording", "Tag", "Callback", "Upload")
TELL = (
    "import json\n"
    "from tests.transcripts import an_account\n"
    "owner = User.objects.get(username='{user}')\n"
    "import hashlib\n"
    "files = {{name: hashlib.sha256(data).hexdigest() for name, data in an_account.files(owner).items()}}\n"
    "print(json.dumps([an_account.rows(owner), files]))"
)
FILL = "from tests.transcripts import an_account\nan_account.fill(User.objects.get(username='owner'))"
DIE = (
    "import os, signal\n"
    "from pathlib import Path\n"
    "from transcripts import archive\n"
    "from transcripts.archive import keeping\n"
    "line, seen = keeping.Rows._line, []\n"
    "def dying(self, told):\n"
    "    seen.append(told)\n"
    "    len(seen) < {after} or os.kill(os.getpid(), signal.SIGKILL)\n"
    "    line(self, told)\n"
    "keeping.Rows._line = dying\n"
    "archive.bring_in(Path({path!r}), owner=User.objects.get(username='owner'))\n"
)


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, RunningServer]]:
    """One on SQLite and one on PostgreSQL. Where there is no PostgreSQL here, both are on SQLite."""
    postgres = _database()
    lite = RunningServer(tmp_path_factory.mktemp("lite"))
    lite.environment.pop("DATABASE_URL", None)
    lite._database_of_its_own = None
    great = RunningServer(tmp_path_factory.mktemp("great"))
    if postgres and great._database_of_its_own is None:
        great.environment["DATABASE_URL"] = postgres
        great._choose_database()
    with lite, great:
        lite.ask(FILL)
        yield lite, great


def told(server: RunningServer, user: str = "owner") -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
    """Rows and files of one person there."""
    rows, files = json.loads(server.ask(TELL.format(user=user)))
    return rows, files


def without_pointers(rows: list[dict[str, Any]]) -> list[str]:
    """In a house that has them already, all records have other ids."""
    kept = ({name: value for name, value in row.items() if name not in POINTERS} for row in rows)
    return sorted(json.dumps(row, sort_keys=True) for row in kept)


POINTERS = {"record", "version", "job", "undoes", "delivery_id", "task_id"}


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as zip:
        return {name: zip.read(name) for name in zip.namelist() if name != "memweb.json"}


def test_everything_moves_to_the_other_database_and_back(
    houses: tuple[RunningServer, RunningServer], tmp_path: Path
) -> None:
    lite, great = houses
    first, second = tmp_path / "first.zip", tmp_path / "second.zip"
    lite.manage("archive", str(first))
    rows, files = told(lite)
    assert great.manage("bringin", str(first)) == f"{len(rows['Record'])} transcripts brought in."
    great.manage("archive", str(second))
    assert members(second) == members(first)
    came, came_files = told(great)
    assert came_files == files
    for model in SETTLED:
        assert came[model] == rows[model], model
    # Back again, into another account of the house where all of it is somebody's.
    lite.manage("bringin", "--user", "other", str(second))
    back, back_files = told(lite, "other")
    assert sorted(back_files.values()) == sorted(files.values())
    for model in SETTLED:
        assert without_pointers(back[model]) == without_pointers(rows[model]), model
    assert told(lite) == (rows, files)


def test_killed_by_force_half_way_it_goes_on(houses: tuple[RunningServer, RunningServer], tmp_path: Path) -> None:
    lite, _ = houses
    path = tmp_path / "first.zip"
    lite.manage("archive", str(path))
    with RunningServer(tmp_path / "third") as empty:
        for after in (9, 50):
            with pytest.raises(AssertionError, match="failed"):
                empty.ask(DIE.format(after=after, path=str(path)))
        half, _ = told(empty)
        empty.manage("bringin", str(path))
        empty.manage("archive", str(tmp_path / "again.zip"))
        rows, files = told(empty)
        assert 0 < len(half["Record"]) < len(rows["Record"])
        assert members(tmp_path / "again.zip") == members(path)
        assert files == told(lite)[1]


def test_the_page_gives_the_same_file_and_only_ones_own(
    houses: tuple[RunningServer, RunningServer], tmp_path: Path
) -> None:
    lite, great = houses
    lite.manage("archive", str(tmp_path / "by-command.zip"))
    for query, name in (("", "by-command.zip"), ("?without=recordings", "slim.zip")):
        with httpx.stream("GET", f"{lite.url}/settings/archive/file/{query}", cookies=lite.sign_in()) as answer:
            assert answer.headers["content-disposition"].startswith('attachment; filename="memweb owner ')
            (tmp_path / "by-page.zip").write_bytes(answer.read())
        if query:
            lite.manage("archive", "--without-audio", str(tmp_path / name))
        assert members(tmp_path / "by-page.zip") == members(tmp_path / name)
    nobody = httpx.get(f"{great.url}/settings/archive/file/", cookies=great.sign_in("other"))
    (tmp_path / "nothing.zip").write_bytes(nobody.content)
    assert not [name for name in members(tmp_path / "nothing.zip") if name.startswith("rec")]


def test_commands_say_what_is_wrong(houses: tuple[RunningServer, RunningServer], tmp_path: Path) -> None:
    lite, _ = houses
    there = tmp_path / "there.zip"
    there.write_bytes(b"mine")
    for arguments, sentence in (
        (("archive", str(there)), "is there already"),
        (("archive", str(tmp_path / "no" / "folder.zip")), "cannot be written: No such file"),
        (("archive", "--user", "nobody", str(tmp_path / "a.zip")), "There is no 'nobody' here. People: other, owner."),
        (("bringin", str(tmp_path / "none.zip")), "cannot be read: No such file"),
        (("bringin", str(there)), "This is not an archive of memweb."),
    ):
        with pytest.raises(AssertionError) as failed:
            lite.manage(*arguments)
        assert sentence in str(failed.value).replace("owner, other", "other, owner")
        assert "Traceback" not in str(failed.value)
    assert there.read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there.zip"]
