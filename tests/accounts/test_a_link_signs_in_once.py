"""A sign-in link opens the door once, for one person, for a short while."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from memweb.accounts import services
from memweb.accounts.models import SignInLink, User


def test_a_link_signs_its_person_in(client: Client, alice: User) -> None:
    answer = client.get(f"/sign-in/link/{services.make_link(user=alice)}")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert client.session["_auth_user_id"] == str(alice.pk)


def test_a_used_link_opens_nothing(client: Client, alice: User) -> None:
    link = f"/sign-in/link/{services.make_link(user=alice)}"
    assert client.get(link).status_code == 302
    second = Client().get(link)
    assert second.status_code == 410
    page = second.content.decode()
    assert "That link does not work any more" in page
    assert "within 15 minutes" in page


def test_looking_at_a_link_does_not_use_it_up(client: Client, alice: User) -> None:
    link = f"/sign-in/link/{services.make_link(user=alice)}"
    assert client.head(link).status_code == 204
    assert client.get(link, headers={"Sec-Purpose": "prefetch;prerender"}).status_code == 204
    assert client.get(link, headers={"Purpose": "prefetch"}).status_code == 204
    assert "_auth_user_id" not in client.session
    assert client.get(link).status_code == 302


def test_a_link_is_over_after_a_quarter_of_an_hour(client: Client, alice: User) -> None:
    token = services.make_link(user=alice)
    SignInLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(f"/sign-in/link/{token}").status_code == 410
    assert services.LINK_LIFETIME.total_seconds() == 900


def test_a_link_of_somebody_who_was_shut_out_opens_nothing(client: Client, alice: User) -> None:
    token = services.make_link(user=alice)
    User.objects.update(is_active=False)
    assert client.get(f"/sign-in/link/{token}").status_code == 410


def test_only_a_digest_of_the_token_is_kept(alice: User) -> None:
    token = services.make_link(user=alice)
    kept = SignInLink.objects.get()
    assert token not in (kept.digest, str(kept.pk))
    assert len(kept.digest) == 64


@pytest.mark.django_db(transaction=True)
def test_of_two_browsers_that_come_at_once_one_gets_in() -> None:
    alice = User.objects.create_superuser("alice", password=None)
    token = services.make_link(user=alice)
    start, inside = threading.Barrier(4), []

    def come() -> None:
        start.wait()
        try:
            if services.use_link(token=token):
                inside.append(1)
        finally:
            connection.close()

    threads = [threading.Thread(target=come) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == [1]


def test_a_used_link_leads_someone_already_inside_onward(as_alice: Client) -> None:
    answer = as_alice.get("/sign-in/link/not-a-link")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")


def test_the_session_id_changes_when_somebody_signs_in(client: Client, alice: User) -> None:
    session = client.session
    session["planted"] = "by somebody else"
    session.save()
    before = session.session_key
    client.get(f"/sign-in/link/{services.make_link(user=alice)}")
    assert client.session.session_key != before


def test_the_first_visit_is_told_about_the_machine(client: Client, alice: User) -> None:
    client.get(f"/sign-in/link/{services.make_link(user=alice)}")
    page = client.get("/settings/").content.decode()
    assert "This memweb is yours." in page
    assert '<a class="link" href="/welcome/">See what' in page


@pytest.mark.parametrize("path", ["/sign-in/", "/sign-in/link/mistyped"])
def test_who_has_no_password_is_not_sent_for_the_owners_link(client: Client, alice: User, path: str) -> None:
    page = client.get(path).content.decode()
    assert "Settings, People" in page
    assert "./run signinlink --user NAME" in page
    assert "./run signinlink<" not in page
