"""Keys are made and revoked on a page; a secret is shown in one answer only."""

from __future__ import annotations

import pytest
from django.test import Client

from memweb.accounts.models import User
from memweb.gateway import keys
from memweb.gateway.models import ApiKey


@pytest.fixture
def person(client: Client, db: None) -> User:
    user = User.objects.create_user("maya")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return user


def test_a_new_key_is_shown_once_and_works(client: Client, person: User) -> None:
    page = client.post("/settings/keys/", {"name": "Lecture room"}).content.decode()
    secret = "sk-mem-" + page.split('<code id="secret">sk-mem-')[1].split("<")[0]
    caller = keys.find(secret)
    assert caller is not None
    assert caller.user_id == person.pk
    later = client.get("/settings/keys/").content.decode()
    assert secret not in later
    assert secret[:15] in later


def test_a_revoked_key_opens_nothing(client: Client, person: User) -> None:
    key, secret = keys.create_key(user=person, name="Old laptop")
    assert client.post(f"/settings/keys/{key.pk}/revocation/").status_code == 302
    assert keys.find(secret) is None
    assert b"Revoked" in client.get("/settings/keys/").content


def test_somebody_elses_key_does_not_exist(client: Client, person: User) -> None:
    key, secret = keys.create_key(user=User.objects.create_user("theo"), name="Private")
    assert client.post(f"/settings/keys/{key.pk}/revocation/").status_code == 404
    assert keys.find(secret) is not None
    assert b"Private" not in client.get("/settings/keys/").content


@pytest.mark.parametrize("name", ["", "a\u202eb", "x" * 101])
def test_a_name_that_hides_something_is_refused(client: Client, person: User, name: str) -> None:
    assert client.post("/settings/keys/", {"name": name}).status_code == 422
    assert not ApiKey.objects.exists()


def test_what_was_chosen_stays_when_a_name_is_refused(client: Client, person: User) -> None:
    page = client.post("/settings/keys/", {"name": "a\u202eb", "files_only": "on", "expires": "90"}).content.decode()
    assert 'value="a\u202eb"' in page
    assert '<option value="90" selected>' in page
    assert 'name="files_only" checked>' in page


def test_the_answer_opens_where_the_form_stands(client: Client, person: User) -> None:
    assert 'action="/settings/keys/#keys"' in client.get("/settings/keys/").content.decode()
