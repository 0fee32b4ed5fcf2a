"""JSON of requests: what is taken can be written again and kept by every database; nothing else is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from memweb.speech.dialects import strict


@pytest.mark.parametrize("content", [
    {}, [], "", 0, -1.5, True, None, {"a": [{"b": "\U0001f600 \\ud800 \\u0000"}]}, "\x01\x7f\ufffd", 10**400,
    json.loads("[" * 99 + "]" * 99),
])  # fmt: skip
def test_what_can_be_kept_is_taken_as_it_is(content: Any) -> None:
    assert strict.read(json.dumps(content)) == content
    assert strict.read(json.dumps(content, ensure_ascii=False).encode()) == content


@pytest.mark.parametrize(("given", "said"), [
    ("NaN", "is not JSON"), ('{"a":[Infinity]}', "is not JSON"), ("-1e400", "is not JSON"), ("{}{}", "is not JSON"),
    (b"\xff\xfe", "is not JSON"), ("[" * 100_000, "is not JSON"), ("[" * 101 + "]" * 101, "is nested too deep"),
    (r'"\u0000"', "has a character that no text may have"), (r'{"\udc00":1}', "has a character that no text may have"),
    (r'["a", [{"b": "\ud83d"}]]', "has a character that no text may have"),
])  # fmt: skip
def test_what_cannot_be_kept_is_refused(given: str | bytes, said: str) -> None:
    with pytest.raises(strict.Unread, match=said):
        strict.read(given)


@pytest.mark.parametrize("given", ["[]", "1", "null", '"x"'])
def test_other_json_is_no_object(given: str) -> None:
    with pytest.raises(strict.Unread, match="is not a JSON object"):
        strict.read_object(given)
