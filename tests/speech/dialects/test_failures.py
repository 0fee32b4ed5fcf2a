"""Every error a provider or the gateway can give is one of nine words of ours, with one answer to "again?"."""

from __future__ import annotations

import json
import re

import pytest
from assemblyai.streaming.v3.models import RealTimeErrorCodes

from memweb.speech.dialects import FAILURES, live_client, refused
from memweb.speech.dialects.elevenlabs.client import FAILING
from memweb.speech.dialects.elevenlabs.server import FAILING as ANSWERED_BY_ELEVENLABS
from memweb.speech.dialects.failures import CLOSE_CODES, STATUSES, by_close_code
from memweb.speech.events import Ended, Failed


def test_the_codes_are_these_and_no_others() -> None:
    assert list(FAILURES) == [
        "auth", "funds", "capacity", "rate", "input", "session_limit", "idle", "provider", "unknown",
    ]  # fmt: skip


def test_a_key_or_an_empty_balance_is_never_tried_again_and_a_bad_request_neither() -> None:
    assert {code for code, failure in FAILURES.items() if not failure.retry} == {"auth", "funds", "input"}


def test_every_sentence_is_plain() -> None:
    for failure in FAILURES.values():
        assert re.fullmatch(r"[A-Z][^!]+\.", failure.sentence)
        assert "sorry" not in failure.sentence.lower()


def test_every_table_leads_to_a_code_of_ours() -> None:
    assert {*CLOSE_CODES.values(), *STATUSES.values(), *FAILING.values()} <= set(FAILURES)
    assert set(ANSWERED_BY_ELEVENLABS) == set(FAILURES)


def test_every_close_code_the_official_client_knows_is_listed() -> None:
    assert set(RealTimeErrorCodes) <= set(CLOSE_CODES)


@pytest.mark.parametrize("provider", ["elevenlabs", "assemblyai"])
@pytest.mark.parametrize(("code", "meaning"), sorted(CLOSE_CODES.items()))
def test_a_listed_close_code_means_what_the_table_says(provider: str, code: int, meaning: str) -> None:
    event = live_client(provider).closed(code, "")
    assert event == Failed(meaning, FAILURES[meaning].sentence, FAILURES[meaning].retry)


@pytest.mark.parametrize(
    ("code", "reason", "meaning"),
    [
        (1008, "Unauthorized Connection: Missing Authorization header", "auth"),
        (1008, "Unauthorized Connection: Too many concurrent sessions", "capacity"),
        (1008, "Insufficient funds", "funds"),
        (3005, "Session Expired: Maximum session duration exceeded", "session_limit"),
        (3005, "Session Cancelled: An error occurred", "provider"),
        (3006, "quota", "input"),
        (4400, "Missing parameter", "input"),
        (4401, "", "auth"),
        (4402, "", "funds"),
        (4403, "", "auth"),
        (4429, "", "rate"),
        (4999, "", "unknown"),
        (1234, "Too many concurrent streams", "capacity"),
        (1234, "who knows", "unknown"),
    ],
)
def test_a_close_code_with_several_uses_is_told_by_its_reason(code: int, reason: str, meaning: str) -> None:
    assert by_close_code(code, reason).code == meaning


@pytest.mark.parametrize(
    ("status", "meaning"),
    [(400, "input"), (401, "auth"), (402, "funds"), (403, "auth"), (418, "input"), (429, "rate"), (503, "capacity"),
     (500, "provider"), (599, "provider"), (302, "unknown"), (200, "unknown")],
)  # fmt: skip
def test_a_refused_handshake_has_a_meaning(status: int, meaning: str) -> None:
    event = refused(status, "words of the gateway")
    assert (event.code, event.retry, event.message) == (meaning, FAILURES[meaning].retry, "words of the gateway")


@pytest.mark.parametrize("provider", ["elevenlabs", "assemblyai"])
def test_a_normal_close_is_the_end_only_where_it_was_asked_for(provider: str) -> None:
    client = live_client(provider)
    given_up = client.closed(1000, "")
    assert isinstance(given_up, Failed)
    assert (given_up.code, given_up.retry) == ("idle", True)
    client.ends()
    assert client.closed(1000, "") == Ended()


def test_the_refusal_of_the_second_form_of_ending_is_an_end() -> None:
    client = live_client("assemblyai")
    refusal = json.dumps({"type": "Error", "error_code": 3006, "error": "Invalid message type"})
    (before,) = client.read(refusal)
    assert isinstance(before, Failed)
    client.ends()
    assert client.read(refusal) == (Ended(),)
    assert client.closed(3006, "Invalid message type") == Ended()


def test_a_long_reason_is_cut_and_made_one_line() -> None:
    message = by_close_code(3005, "a\nb " * 500).message
    assert len(message) == 300
    assert message.startswith("a b a b")
    assert message.endswith("…")
