"""Whatever is said, or a provider says was said: on the live page it is text."""

from __future__ import annotations

import pytest
from django.template import engines
from django.template.loader import get_template
from django.utils.html import escape

from memweb.dictation import fragments
from memweb.speech.text import clean
from memweb.speech.transcript import Segment
from tests.house.test_hostile_text_is_shown_as_text import PAYLOADS, is_clean
from tests.transcripts import making


def said(text: str) -> Segment:
    return Segment(text, 0, 900, text, speaker=text)


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("again", [False, True])
def test_a_final_is_text(payload: str, again: bool) -> None:
    html = fragments.final(said(payload), again=again)
    is_clean(html)
    assert f">{escape(payload)} <" in html


@pytest.mark.django_db
def test_the_whole_log_is_text() -> None:
    record = making.dictation(making.person("alice"), *PAYLOADS)
    html, keys = fragments.log(record.pk)
    is_clean(html)
    assert all(escape(clean(payload).strip()) in html for payload in PAYLOADS)
    assert len(keys) == len(PAYLOADS)


@pytest.mark.parametrize("name", ["_phrase.html", "_again.html"])
def test_without_escaping_they_would_be_markup(name: str) -> None:
    """The twin."""
    source = get_template(f"dictation/{name}").template.source
    loose = engines["django"].from_string(source.replace("{{ segment.text }}", "{{ segment.text|safe }}"))
    with pytest.raises(AssertionError):
        is_clean(loose.render({"segment": said(PAYLOADS[0])}))
