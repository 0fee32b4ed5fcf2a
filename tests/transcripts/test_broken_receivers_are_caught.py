"""The receiver's broken twins are caught: an answer before the commit, an identity by the body's hash."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from memweb.accounts.models import User
from tests.transcripts.posting import commit, request
from transcripts import streams, webhooks, writer
from transcripts.callbacks import applying, hooks, letters
from transcripts.callbacks.inbox import Callback
from transcripts.models import Segment


@pytest.fixture
def _ended() -> Iterator[None]:
    streams._folds.clear()
    yield
    writer.close()


async def equal_bodies_are_two_events(alice: User) -> bool:
    """R7, in small: equal bodies of different deliveries, and one that comes again."""
    await sync_to_async(streams.begin)(owner_id=alice.pk, title="x", provider="elevenlabs", task_id="t")
    path = await sync_to_async(hooks.path_of)(alice)
    for name in ("a", "b", "b", "c"):
        await request(path, commit("t", "Okay."), headers={"webhook-id": name, "memweb-sequence": str(ord(name))})
    await sync_to_async(applying.apply_waiting)()
    return await sync_to_async(Segment.objects.filter(text="Okay.").count)() == 3


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_ended")
async def test_an_identity_by_the_bodys_hash_is_caught(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await equal_bodies_are_two_events(alice)
    row = letters._row

    def by_hash(letter: letters.Letter, owner_id: int) -> list[Any]:
        letter.delivery_id = letter.body_digest
        return row(letter, owner_id)

    monkeypatch.setattr(letters, "_row", by_hash)
    await sync_to_async(lambda: (Callback.objects.all().delete(), alice.records.all().delete()))()
    assert not await equal_bodies_are_two_events(alice)


async def what_is_answered_is_stored(alice: User, monkeypatch: pytest.MonkeyPatch) -> bool:
    """With a process that dies at the worst moment: after the answer, before anything else."""
    path = await sync_to_async(hooks.path_of)(alice)
    store = letters.store

    def dying(group: Any) -> list[bool]:
        kept = store(group)
        raise SystemError(kept)  # nothing after this line happens; its transaction is gone

    monkeypatch.setattr(letters, "store", dying)
    try:
        answered = (await request(path, b"{}")).status == 200
    except SystemError:
        answered = False
    return await sync_to_async(Callback.objects.count)() >= int(answered)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_ended")
async def test_an_answer_before_the_commit_is_caught(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await what_is_answered_is_stored(alice, monkeypatch)
    keep = webhooks.Inbox.keep

    async def hasty(self: webhooks.Inbox, letter: letters.Letter) -> bool:
        self.later = asyncio.ensure_future(keep(self, letter))  # type: ignore[attr-defined]
        self.later.add_done_callback(lambda done: done.cancelled() or done.exception())  # type: ignore[attr-defined]
        return True

    monkeypatch.setattr(webhooks.Inbox, "keep", hasty)
    assert not await what_is_answered_is_stored(alice, monkeypatch)
