"""`./run test`: everything on SQLite, what touches the database again on PostgreSQL and Redis, the floors of coverage.

With arguments: pytest alone, with those arguments.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
POSTGRES = ("postgres://postgres@127.0.0.1:5432/postgres", "postgres://memweb:memweb@127.0.0.1:5432/postgres")
REDIS = "redis://127.0.0.1:6379/15"
# What reads or writes rows; browsers and engines do not care which database it is.
TOUCHES_THE_DATABASE = (
    "accounts",
    "transcripts",
    "dictation",
    "gateway",
    "upstream",
    "house/test_every_route_is_guarded.py",
    "house/test_hostile_text_is_shown_as_text.py",
    "house/test_commands_for_people.py",
)

# What starts databases of its own, the reference's examples, and what is about lines and other people's clients.
SAME_ON_ANY_DATABASE = (
    "dictation/test_a_dead_line_is_found.py",
    "dictation/test_database_and_redis_are_killed.py",
    "dictation/test_the_gateway_may_fail.py",
    "dictation/test_the_line_to_the_page_may_break.py",
    "gateway/test_a_relayed_session_is_ended_from_here.py",
    "gateway/test_official_clients_transcribe_files.py",
    "gateway/test_official_clients_work_by_base_url.py",
    "gateway/test_streams_are_pulled.py",
    "gateway/test_the_examples_of_the_reference.py",
    "gateway/test_the_handshake_answers_in_statuses.py",
    "gateway/test_the_live_socket_end_to_end.py",
    "gateway/test_the_splice_keeps_every_byte.py",
    "gateway/test_uploads_stay_out_of_memory.py",
    "upstream/test_live_connection.py",
)

# Most of a run is waiting: for speech in real time, for servers that start. A file's tests stay together.
TOGETHER = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")


def main() -> int:
    """0 when everything passed; else the first exit code that was not 0."""
    if sys.argv[1:]:
        return _pytest(*sys.argv[1:])
    codes = [_pytest("--cov", "--cov-report=", *TOGETHER)]
    database, redis = _database(), _redis()
    if database and redis:
        print(f"\nAgain on PostgreSQL and Redis: {', '.join(TOUCHES_THE_DATABASE)}", flush=True)
        folders = [f"tests/{name}" for name in TOUCHES_THE_DATABASE]
        folders += [f"--ignore=tests/{name}" for name in SAME_ON_ANY_DATABASE]
        chosen = (*folders, "-m", "not browser and not speech", "--cov", "--cov-append", "--cov-report=", *TOGETHER)
        codes.append(_pytest(*chosen, DATABASE_URL=database, REDIS_URL=redis))
        codes.append(_floors())
    else:
        codes.append(_missing(postgres=bool(database), redis=bool(redis)))
        codes.append(_floors("--omit=*_postgres.py,*/dictation/doorbell.py"))
    return next((code for code in codes if code), 0)


def _pytest(*arguments: str, **environment: str) -> int:
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.call(command, cwd=ROOT, env=os.environ | environment)


def _missing(*, postgres: bool, redis: bool) -> int:
    names = [name for name, answers in (("PostgreSQL", postgres), ("Redis", redis)) if not answers]
    print(
        f"\n{'!' * 78}\nNOT TESTED ON POSTGRESQL AND REDIS: {' and '.join(names)} did not answer on this machine.\n"
        f"Start them on their usual ports (5432, 6379), then run this again.\n{'!' * 78}",
        flush=True,
    )
    return 1 if os.environ.get("CI") else 0


def _database() -> str:
    """The first address of POSTGRES, or of DATABASE_URL, that lets a database be made; empty when none does."""
    import psycopg

    for address in filter(None, (os.environ.get("TEST_DATABASE_URL"), *POSTGRES)):
        try:
            with psycopg.connect(address, connect_timeout=3) as connection:
                row = connection.execute("SELECT rolcreatedb FROM pg_roles WHERE rolname = current_user").fetchone()
        except psycopg.OperationalError:
            continue
        if row and row[0]:
            return address
    return ""


def _redis() -> str:
    import redis

    address = os.environ.get("TEST_REDIS_URL", REDIS)
    try:
        with redis.Redis.from_url(address, socket_connect_timeout=3) as client:
            client.ping()
    except redis.RedisError:
        return ""
    return address


def _floors(*leaving_out: str) -> int:
    """Hold each part of the code to its floor ([tool.memweb.floors] in pyproject.toml); 0 when all hold."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        floors: dict[str, int] = tomllib.load(file)["tool"]["memweb"]["floors"]
    # What processes wrote that ended after pytest did; killed ones leave files that nobody can read.
    combine = [sys.executable, "-m", "coverage", "combine", "--append", "-q"]
    subprocess.call(combine, cwd=ROOT, stderr=subprocess.DEVNULL)
    for left in ROOT.glob(".coverage.*"):
        left.unlink()
    worst = 0
    for pattern, floor in floors.items():
        print(f"\nCoverage of {pattern}: {floor} % or more", flush=True)
        report = ["report", "--skip-covered", "--precision=1", f"--include={pattern}", f"--fail-under={floor}"]
        report += leaving_out
        worst = subprocess.call([sys.executable, "-m", "coverage", *report], cwd=ROOT) or worst
    return worst


if __name__ == "__main__":
    sys.exit(main())
