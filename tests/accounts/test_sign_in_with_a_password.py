"""Name and password, guessed at most five times a minute."""

from __future__ import annotations

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from memweb.accounts.models import User
from tests.accounts.conftest import PASSWORD

WRONG = {"username": "alice", "password": "not-this-one"}
RIGHT = {"username": "alice", "password": PASSWORD}


def test_the_right_pair_signs_in_and_goes_where_the_person_was_going(client: Client, alice: User) -> None:
    answer = client.post("/sign-in/", {**RIGHT, "next": "/settings/"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/settings/")
    assert client.session["_auth_user_id"] == str(alice.pk)


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"]
)
def test_the_door_leads_nowhere_else(client: Client, alice: User, elsewhere: str) -> None:
    assert client.post("/sign-in/", {**RIGHT, "next": elsewhere}).headers["Location"] == "/"


def test_a_wrong_pair_is_refused_without_saying_which_half(client: Client, alice: User) -> None:
    nobody = client.post("/sign-in/", {"username": "nobody", "password": PASSWORD})
    wrong = client.post("/sign-in/", WRONG)
    assert nobody.status_code == wrong.status_code == 422
    sentence = "The name and the password do not belong together."
    assert sentence in nobody.content.decode()
    assert sentence in wrong.content.decode()
    assert 'value="nobody"' in nobody.content.decode()
    assert PASSWORD not in nobody.content.decode()


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 2000, ""])
def test_a_strange_name_is_refused_like_any_other(client: Client, db: None, name: str) -> None:
    body = f"username={name}&password=x".encode("utf-8", "surrogatepass")
    answer = client.post("/sign-in/", body, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 422


def test_five_wrong_passwords_are_answered_with_a_wait(client: Client, alice: User) -> None:
    for _ in range(4):
        assert client.post("/sign-in/", WRONG).status_code == 422
    fifth = client.post("/sign-in/", WRONG)
    assert fifth.status_code == 429
    assert fifth.headers["Retry-After"] == "60"
    assert "Wait 60 seconds" in fifth.content.decode()
    assert client.post("/sign-in/", RIGHT).status_code == 429


def test_the_wait_is_not_evaded_by_a_forged_address(client: Client, alice: User) -> None:
    answers = [
        client.post("/sign-in/", WRONG, headers={"X-Forwarded-For": f"203.0.113.{number}"}).status_code
        for number in range(6)
    ]
    assert answers[-1] == 429


def test_after_the_wait_the_right_password_opens_again(client: Client, alice: User) -> None:
    for _ in range(6):
        client.post("/sign-in/", WRONG)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(seconds=61))
    assert client.post("/sign-in/", RIGHT).status_code == 302


def test_without_the_limit_a_guesser_could_go_on(client: Client, alice: User, settings: Settings) -> None:
    settings.AXES_ENABLED = False
    assert {client.post("/sign-in/", WRONG).status_code for _ in range(8)} == {422}


def test_signing_out_is_a_deed_and_not_a_link(as_alice: Client) -> None:
    assert as_alice.get("/sign-out/").status_code == 405
    assert as_alice.post("/sign-out/").status_code == 302
    assert "_auth_user_id" not in as_alice.session


def test_nobody_makes_an_account_unless_that_is_opened(client: Client, db: None) -> None:
    assert client.get("/sign-up/").status_code == 404
    assert client.post("/sign-up/", {"name": "eve", "password": PASSWORD}).status_code == 404
    assert not User.objects.exists()


def test_where_it_is_open_anybody_makes_an_account(client: Client, alice: User, settings: Settings) -> None:
    settings.OPEN_REGISTRATION = True
    assert b"Make an account" in client.get("/sign-up/").content
    assert client.post("/sign-up/", {"name": "Alice", "password": PASSWORD}).status_code == 422
    assert client.post("/sign-up/", {"name": "carol", "password": "short"}).status_code == 422
    assert client.post("/sign-up/", {"name": "carol", "password": PASSWORD}).status_code == 302
    assert client.session["_auth_user_id"] == str(User.objects.get(username="carol").pk)
    assert not User.objects.get(username="carol").is_superuser


PARTS = ("/transcripts/", "/streams/air/", "/settings/")


@pytest.mark.django_db
@pytest.mark.parametrize("path", PARTS)
def test_a_part_of_a_page_never_becomes_the_sign_in_page(client: Client, path: str) -> None:
    answer = client.get(path, headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert b"<" not in answer.content
    assert client.get(path).headers["Location"] == f"/sign-in/?next={path}"
    whole = client.get(path, headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert whole.status_code == 302


@pytest.mark.django_db
def test_a_deed_of_somebody_signed_out_is_refused_and_other_redirects_stay(as_bob: Client, client: Client) -> None:
    deed = {"field": "language", "language": "de"}
    assert client.post("/settings/preference/", deed, headers={"HX-Request": "true"}).status_code == 401
    assert client.post("/settings/preference/", deed).status_code == 302
    assert as_bob.post("/settings/preference/", deed, headers={"HX-Request": "true"}).status_code == 200
    assert as_bob.post("/transcripts/selection/", {"deed": "pin"}, headers={"HX-Request": "true"}).status_code == 302
