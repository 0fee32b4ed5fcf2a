"""Whose address counts: the connection's, or, behind a proxy, what that proxy itself saw."""

from __future__ import annotations

import pytest

from memweb.asgi import with_visitors_address

CLIENT = ("127.0.0.1", 5000)


def seen(*headers: bytes) -> str:
    scope = {"type": "http", "client": CLIENT, "headers": [(b"x-forwarded-for", value) for value in headers]}
    return str(with_visitors_address(scope)["client"][0])


def test_the_last_address_is_the_one_the_proxy_saw() -> None:
    assert seen(b"203.0.113.9") == "203.0.113.9"
    assert seen(b"198.51.100.1, 203.0.113.9") == "203.0.113.9"
    assert seen(b"198.51.100.1", b"2001:db8::7") == "2001:db8::7"


@pytest.mark.parametrize("header", [b"", b"unknown", b"203.0.113.9:4431", b"\xff\xfe", b"203.0.113.9,"])
def test_what_is_no_address_changes_nothing(header: bytes) -> None:
    assert seen(header) == "127.0.0.1"


def test_without_the_header_nothing_changes() -> None:
    assert seen() == "127.0.0.1"
