"""Nothing that was said, typed, called back or searched for reaches a log line, whatever an error says of it.

PostgreSQL puts the row it refuses into its error, and Python the value it cannot use. The twins format the same errors
as Python does, and find the words.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, connection
from django.test import Client
from django.utils import timezone

from memweb.accounts.models import User
from memweb.dictation.finals import Finals
from memweb.dictation.page import Page
from memweb.logs import JsonLines, TextLines, scrubbed
from memweb.speech.dialects.contract import RefusedParameter
from tests.transcripts import making, posting
from transcripts import services, streams, writer
from transcripts.callbacks import applying, hooks
from transcripts.callbacks.inbox import Callback
from transcripts.models import Record

WORDS = "plantedword of mine"
FORMS = ("plantedword", b"plantedword".hex())
"""As they are, and as PostgreSQL writes bytes."""
TOLD = (
    'null value in column "order" of relation "transcripts_segment" violates not-null constraint\n'
    "DETAIL:  Failing row contains (1, 1-0, plantedword\nplantedword of mine).\n"
    "CONTEXT:  plantedword"
)


def lines(records: list[logging.LogRecord]) -> str:
    return "\n".join(written.format(record) for record in records for written in (TextLines(), JsonLines()))


def hold_the_words(logged: str) -> bool:
    return any(form in logged for form in FORMS)


def as_python_does(records: list[logging.LogRecord]) -> str:
    return "\n".join(logging.Formatter().format(record) for record in records)


@pytest.mark.parametrize(
    "told",
    [
        TOLD,
        TOLD.replace("DETAIL", "DETALLE"),
        "invalid input syntax for type integer: \"plantedword of mine\"\nLINE 1: SELECT 'plantedword'",
        'syntax error in tsquery: "plantedword\nplantedword of mine"',
        'fts5: syntax error near "plantedword"',
    ],
)
def test_of_a_databases_error_the_first_line_is_told(caplog: pytest.LogCaptureFixture, told: str) -> None:
    driver = type("UniqueViolation", (Exception,), {"sqlstate": "23505"})
    try:
        try:
            try:
                raise driver(told)
            except driver as cause:
                raise IntegrityError(told) from cause
        except IntegrityError:
            raise LookupError("while that was told") from None
    except LookupError as error:
        error.__suppress_context__ = False
        logging.getLogger("memweb.test").exception("it broke")
    assert hold_the_words(as_python_does(caplog.records))
    logged = lines(caplog.records)
    assert not hold_the_words(logged)
    assert TextLines().format(caplog.records[0]).endswith("\nLookupError")
    assert logged.count(f"UniqueViolation: {told[:12]}") == logged.count(f"IntegrityError: {told[:12]}") == 2


def refused_in_words() -> None:
    raise RefusedParameter("prompt", f"prompt {WORDS!r} is too long")


def with_a_note() -> None:
    error = KeyError(WORDS)
    error.add_note(WORDS)
    raise error


def one_of_several() -> None:
    raise ExceptionGroup(WORDS, [ValueError(WORDS), ExceptionGroup("more", [KeyError(WORDS)])])


def led_to_another() -> None:
    try:
        int(WORDS)
    except ValueError as error:
        try:
            raise RuntimeError(f"because of {WORDS}") from error
        except RuntimeError:
            os.stat(f"/nowhere/{WORDS}")


def led_to_itself() -> None:
    first, second = ValueError(WORDS), KeyError(WORDS)
    first.__cause__, second.__cause__ = second, first
    raise first


@pytest.mark.parametrize("breaks", [refused_in_words, with_a_note, one_of_several, led_to_another, led_to_itself])
def test_an_error_tells_its_kind_and_its_place(caplog: pytest.LogCaptureFixture, breaks: Callable[[], None]) -> None:
    try:
        breaks()
    except Exception as error:
        kind = f"{type(error).__module__}.{type(error).__name__}".removeprefix("builtins.")
        logging.getLogger("memweb.test").exception("it broke; %r", error)
    assert hold_the_words(as_python_does(caplog.records))
    logged = lines(caplog.records)
    assert not hold_the_words(logged)
    assert logged.count(f", in {breaks.__name__}") >= 2
    assert logged.count(f"it broke; {kind}") == 2
    assert "test_logs_keep_words.py" in logged


def test_an_error_tells_what_led_to_it_and_what_the_system_says(caplog: pytest.LogCaptureFixture) -> None:
    try:
        led_to_another()
    except OSError:
        logging.getLogger("memweb.test").exception("it broke")
    traced = TextLines().format(caplog.records[0])
    told = [line for line in traced.splitlines() if line[:1].isupper()]
    assert told == [
        "Traceback (most recent call last):",
        "ValueError",
        "The above exception was the direct cause of the following exception:",
        "Traceback (most recent call last):",
        "RuntimeError",
        "During handling of the above exception, another exception occurred:",
        "Traceback (most recent call last):",
        "FileNotFoundError: No such file or directory",
    ]


def test_errors_in_a_group_are_told_each(caplog: pytest.LogCaptureFixture) -> None:
    try:
        one_of_several()
    except ExceptionGroup:
        logging.getLogger("memweb.test").exception("it broke")
    traced = TextLines().format(caplog.records[0])
    for line in ("\nExceptionGroup\n", "\n  | ValueError\n", "\n  | ExceptionGroup\n", "\n  |   | KeyError"):
        assert line in traced


@pytest.mark.parametrize("error", [ModuleNotFoundError("No module named 'av'"), ImproperlyConfigured("Set a name.")])
def test_what_an_operator_can_mend_is_told(caplog: pytest.LogCaptureFixture, error: Exception) -> None:
    logging.getLogger("memweb.test").error("it broke", exc_info=error)
    assert lines(caplog.records).count(str(error)) == 2


async def test_what_nobody_awaited_is_told_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    future = asyncio.get_running_loop().create_future()
    future.set_exception(ValueError(WORDS))
    del future
    gc.collect()
    assert "never retrieved" in caplog.text
    assert_kept(caplog)


def test_rows_within_a_message_are_cut() -> None:
    """As asyncio tells of what nobody awaited."""
    for written in (str(IntegrityError(TOLD.replace("\nplantedword of mine", ""))), repr(IntegrityError(TOLD))):
        assert hold_the_words(written)
        assert "violates not-null constraint" in scrubbed(f"never retrieved: {written}")
        assert not hold_the_words(scrubbed(f"never retrieved: {written}"))


Refuse = Callable[..., None]


@pytest.fixture
def refuse(transactional_db: None, caplog: pytest.LogCaptureFixture) -> Iterator[Refuse]:
    """Have the database take no row with these words into these tables, whatever the column."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite tells of no row")
    refusing: list[str] = []

    def refuse(*tables: str) -> None:
        for table in tables:
            holds = " OR ".join(f"strpos({table}::text, '{word}') > 0" for word in FORMS)
            with connection.cursor() as cursor:
                cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT planted CHECK (NOT ({holds}))")
            refusing.append(table)

    caplog.set_level(logging.DEBUG)
    yield refuse
    writer.close()
    for table in refusing:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT planted")
    streams._folds.clear()


@pytest.fixture
def alice(db: None) -> User:
    return making.person("alice")


@pytest.fixture
def as_alice(alice: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(alice)
    return client


def assert_kept(caplog: pytest.LogCaptureFixture) -> None:
    """The words were in an error that was logged, and are in no line."""
    assert hold_the_words(as_python_does(caplog.records))
    assert not hold_the_words(lines(caplog.records))


class Speaking:
    """A dictation nobody looks at."""

    page: Page | None = None

    def __init__(self, record: Record) -> None:
        self.record_id, self.owner_id = record.pk, record.owner_id

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        work.close()

    def deleted(self) -> None: ...


def test_what_was_said(refuse: Refuse, alice: User, caplog: pytest.LogCaptureFixture) -> None:
    record = making.dictation(alice, finished=False)
    refuse("transcripts_segment")

    async def say() -> None:
        Finals(Speaking(record), revision=1).save(making.line("1-0", 0, WORDS), again=False)
        async with asyncio.timeout(30):
            while "could not be kept" not in caplog.text:
                await asyncio.sleep(0.01)

    asyncio.run(say())
    assert_kept(caplog)


def test_what_a_provider_said(refuse: Refuse, alice: User, caplog: pytest.LogCaptureFixture) -> None:
    record = making.dictation(alice, finished=False)
    refuse("transcripts_message")
    row = services.MessageRow(record.pk, 1, 0, 0, "assemblyai", timezone.now(), WORDS)
    writer.collect(services.save_messages, row)
    writer.close()
    assert "could not be written in bulk" in caplog.text
    assert_kept(caplog)


def test_what_was_typed(refuse: Refuse, alice: User, as_alice: Client, caplog: pytest.LogCaptureFixture) -> None:
    record = making.dictation(alice, "Hello there")
    refuse("transcripts_edit", "transcripts_segment", "transcripts_record")
    asked = {f"/transcripts/{record.pk}/text/": {"segment": "1-0:0", "text": WORDS}}
    asked[f"/transcripts/{record.pk}/title/"] = {"title": WORDS}
    for path, typed in asked.items():
        assert as_alice.post(path, typed).status_code == 500
        assert_kept(caplog)
        caplog.clear()


def test_what_was_called_back(refuse: Refuse, alice: User, caplog: pytest.LogCaptureFixture) -> None:
    streams.begin(owner_id=alice.pk, title="Radio", provider="assemblyai", language="en", task_id="t1")
    body = posting.turn("t1", 0, WORDS)
    posting.store(alice, body)
    refuse("transcripts_segment", "transcripts_message")
    assert applying.apply_waiting() == 1
    assert "could not be applied" in caplog.text
    assert_kept(caplog)
    caplog.clear()
    Callback.objects.all().delete()
    refuse("transcripts_callback")
    path = hooks.path_of(alice)
    with pytest.raises(IntegrityError) as refused:
        asyncio.run(posting.request(path, WORDS.encode()))
    logging.getLogger("memweb.server").error("The application failed", exc_info=refused.value)  # as the server says it
    assert_kept(caplog)


def test_what_was_searched_for(refuse: Refuse, as_alice: Client, caplog: pytest.LogCaptureFixture) -> None:
    """PostgreSQL points into the statement that it does not understand, and the words stand in it."""

    def spoil(execute: Any, sql: str, *rest: Any) -> Any:
        return execute(sql.replace("strpos(' ' || said || ' ', ", "x("), *rest)

    with connection.execute_wrapper(spoil):
        assert as_alice.get("/transcripts/", {"q": WORDS}).status_code == 500
    assert_kept(caplog)
