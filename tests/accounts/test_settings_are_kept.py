"""The settings page: what is chosen is kept, what is secret is not shown, what is not one's own is refused."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from pytest_django.fixtures import Settings

from memweb.accounts import services
from memweb.accounts.models import Preferences, SignInLink, User
from memweb.accounts.seal import seal, unseal
from memweb.upstream.address import Gateway
from memweb.upstream.trial import Trial
from tests.accounts.conftest import PASSWORD

HTMX = {"HX-Request": "true"}
KEY = "sk-planted-marker-1234567890"


def test_a_choice_is_saved_alone(as_bob: Client, bob: User) -> None:
    answer = as_bob.post("/settings/preference/", {"field": "remove_noise", "remove_noise": "on"}, headers=HTMX)
    assert b"Saved" in answer.content
    kept = Preferences.objects.get(user=bob)
    assert (kept.remove_noise, kept.even_loudness, kept.single_keys, kept.language) == (True, True, True, "en")


def test_a_switch_is_turned_off_by_its_absence(as_bob: Client, bob: User) -> None:
    as_bob.post("/settings/preference/", {"field": "single_keys"})
    assert not Preferences.objects.get(user=bob).single_keys


def test_a_pause_by_itself_is_asked_for_and_told_to_the_page(as_bob: Client, bob: User) -> None:
    assert 'data-pause-after="0"' in as_bob.get("/").content.decode()
    as_bob.post("/settings/preference/", {"field": "pause_after", "pause_after": "10"})
    assert 'data-pause-after="10"' in as_bob.get("/").content.decode()
    assert '<option value="10" selected>' in as_bob.get("/settings/").content.decode()


def test_the_page_works_as_a_plain_form(as_bob: Client, bob: User) -> None:
    answer = as_bob.post("/settings/preference/", {"field": "language", "language": "de"}, follow=True)
    page = answer.content.decode()
    assert '<option value="de" selected>' in page
    assert "Saved." in page


@pytest.mark.parametrize(
    "data",
    [
        {"field": "language", "language": "xx"},
        {"field": "pause_after", "pause_after": "7"},
        {"field": "user", "user": "1"},
        {},
    ],
)
def test_what_cannot_be_chosen_is_refused_in_words(as_bob: Client, bob: User, data: dict[str, str]) -> None:
    answer = as_bob.post("/settings/preference/", data, headers=HTMX)
    assert b"This cannot be chosen here" in answer.content
    assert services.preferences_of(bob).language == "en"


def test_a_gateway_key_is_sealed_and_never_shown(as_alice: Client, alice: User) -> None:
    as_alice.post("/settings/gateway/", {"where": "other", "url": "http://127.0.0.1:9/", "key": KEY})
    kept = Preferences.objects.get(user=alice)
    assert KEY.encode() not in bytes(kept.gateway_key)
    assert KEY not in as_alice.get("/settings/").content.decode()
    assert services.gateway_of(alice) == services.ChosenGateway("http://127.0.0.1:9", KEY)


def test_an_empty_key_field_keeps_the_key_of_the_same_address_only(as_alice: Client, alice: User) -> None:
    as_alice.post("/settings/gateway/", {"where": "other", "url": "http://127.0.0.1:9", "key": KEY})
    as_alice.post("/settings/gateway/", {"where": "other", "url": "http://127.0.0.1:9", "key": ""})
    assert services.gateway_of(alice).key == KEY
    as_alice.post("/settings/gateway/", {"where": "other", "url": "http://127.0.0.1:10", "key": ""})
    assert services.gateway_of(alice).key == ""


def test_going_back_to_the_built_in_gateway_forgets_the_key(as_alice: Client, alice: User) -> None:
    as_alice.post("/settings/gateway/", {"where": "other", "url": "http://127.0.0.1:9", "key": KEY})
    as_alice.post("/settings/gateway/", {"where": "built-in"})
    assert services.gateway_of(alice) == services.ChosenGateway()
    assert not Preferences.objects.get(user=alice).gateway_key


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x.example",
        "http://",
        "https://a:b@x.example",
        "https://x.example/?q=1",
        "javascript:1",
        "http://[::",
        "\0",
    ],
)
def test_what_is_not_an_address_is_refused(as_alice: Client, alice: User, url: str) -> None:
    answer = as_alice.post("/settings/gateway/", {"where": "other", "url": url, "key": KEY}, headers=HTMX)
    assert b'role="alert"' in answer.content
    assert services.gateway_of(alice) == services.ChosenGateway()


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://169.254.169.254", "http://[::1]", "http://10.0.0.1"])
def test_only_the_owner_points_inside_the_network(as_bob: Client, bob: User, url: str) -> None:
    answer = as_bob.post("/settings/gateway/", {"where": "other", "url": url, "key": KEY}, headers=HTMX)
    assert b"Only the owner" in answer.content
    assert services.gateway_of(bob) == services.ChosenGateway()


def test_a_test_of_a_silent_address_says_so(as_alice: Client, alice: User) -> None:
    answer = as_alice.post(
        "/settings/gateway/trial/", {"where": "other", "url": "http://127.0.0.1:9", "key": KEY}, headers=HTMX
    )
    assert b"Nothing answers at this address" in answer.content


@pytest.mark.parametrize(
    ("typed", "tried"),
    [
        ({"where": "other", "url": "http://127.0.0.1:10/", "key": "new"}, ("http://127.0.0.1:10", "new")),
        ({"where": "other", "url": "http://127.0.0.1:9", "key": ""}, ("http://127.0.0.1:9", KEY)),
        ({"where": "other", "url": "http://127.0.0.1:10", "key": ""}, ("http://127.0.0.1:10", "")),
        ({"where": "built-in", "url": "http://127.0.0.1:10", "key": "new"}, None),
    ],
)
def test_what_is_tested_is_what_is_typed(
    as_alice: Client, alice: User, monkeypatch: pytest.MonkeyPatch, typed: dict[str, str], tried: tuple[str, str] | None
) -> None:
    seen: list[Gateway] = []

    def try_gateway(gateway: Gateway) -> Trial:
        seen.append(gateway)
        return Trial(True, "It works.")

    monkeypatch.setattr("memweb.accounts.views.preferences.try_gateway", try_gateway)
    as_alice.post("/settings/gateway/", {"where": "other", "url": "http://127.0.0.1:9", "key": KEY})
    assert b"It works." in as_alice.post("/settings/gateway/trial/", typed, headers=HTMX).content
    (gateway,) = seen
    assert gateway.built_in if tried is None else (gateway.url, gateway.key) == tried
    assert services.gateway_of(alice) == services.ChosenGateway("http://127.0.0.1:9", KEY)


@pytest.mark.parametrize("path", ["/settings/gateway/", "/settings/gateway/trial/"])
def test_an_address_that_is_missing_is_asked_for(as_alice: Client, path: str) -> None:
    answer = as_alice.post(path, {"where": "other", "url": " ", "key": ""}, headers=HTMX).content.decode()
    assert "Type the address first" in answer
    assert "This field is required" not in answer


def test_only_the_owner_tests_addresses_inside_the_network(as_bob: Client) -> None:
    answer = as_bob.post("/settings/gateway/trial/", {"where": "other", "url": "http://127.0.0.1:9"}, headers=HTMX)
    assert b"Only the owner" in answer.content


@pytest.mark.parametrize(
    ("path", "data", "part"),
    [
        ("/settings/people/", {"name": "carol"}, "people"),
        ("/settings/people/", {"name": "alice"}, "people"),
        ("/settings/password/", {"old": "wrong", "password": "another-long-one"}, "account"),
    ],
)
def test_an_answer_opens_where_its_form_stands(as_alice: Client, path: str, data: dict[str, str], part: str) -> None:
    """These answer with the whole page: the form's own address says which part of it is to be shown."""
    assert f'action="{path}#{part}"' in as_alice.get("/settings/").content.decode()
    assert f'id="{part}"' in as_alice.post(path, data).content.decode()


def test_what_was_typed_stays_but_never_a_password(as_alice: Client) -> None:
    assert 'value="ALICE"' in as_alice.post("/settings/people/", {"name": "ALICE"}).content.decode()
    refused = as_alice.post("/settings/password/", {"old": "wrong-one-typed", "password": "another-long-one"})
    assert not {"wrong-one-typed", "another-long-one"} & set(refused.content.decode().split('"'))


def test_what_is_sealed_opens_with_the_same_secret_only(settings: Settings) -> None:
    sealed = seal(KEY)
    assert unseal(memoryview(sealed)) == KEY
    settings.SECRET_KEY = "another" * 10
    assert unseal(sealed) == ""
    assert seal("") == b""


def test_a_new_password_ends_other_sessions_and_keeps_this_one(as_bob: Client, bob: User) -> None:
    other = Client()
    other.force_login(bob, backend="django.contrib.auth.backends.ModelBackend")
    answer = as_bob.post("/settings/password/", {"old": PASSWORD, "password": "another-long-one"})
    assert answer.status_code == 302
    assert as_bob.get("/settings/").status_code == 200
    assert other.get("/settings/").status_code == 302


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"old": "wrong", "password": "another-long-one"}, "This is not the current password."),
        ({"old": PASSWORD, "password": "short"}, "too short"),
        ({"old": PASSWORD, "password": "password1234"}, "too common"),
    ],
)
def test_a_bad_password_is_refused_in_words(as_bob: Client, bob: User, data: dict[str, str], sentence: str) -> None:
    answer = as_bob.post("/settings/password/", data)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    bob.refresh_from_db()
    assert bob.check_password(PASSWORD)


def test_somebody_who_came_by_link_sets_a_first_password(client: Client, db: None) -> None:
    dora = services.add_person(name="dora")
    client.get(f"/sign-in/link/{services.make_link(user=dora)}")
    assert client.post("/settings/password/", {"password": "a-first-long-one"}).status_code == 302
    assert Client().post("/sign-in/", {"username": "dora", "password": "a-first-long-one"}).status_code == 302


def test_signing_out_everywhere_ends_every_session(as_bob: Client, bob: User, alice: User, as_alice: Client) -> None:
    other = Client()
    other.force_login(bob, backend="django.contrib.auth.backends.ModelBackend")
    as_bob.post("/settings/sign-out-everywhere/")
    assert as_bob.get("/settings/").status_code == other.get("/settings/").status_code == 302
    assert as_alice.get("/settings/").status_code == 200


def test_the_owner_adds_somebody_and_hands_them_a_link(as_alice: Client) -> None:
    page = as_alice.post("/settings/people/", {"name": "  Carol "}).content.decode()
    carol = User.objects.get(username="Carol")
    token = page.split("/sign-in/link/")[1].split("<")[0]
    newcomer = Client()
    assert newcomer.get(f"/sign-in/link/{token}").status_code == 302
    assert newcomer.session["_auth_user_id"] == str(carol.pk)
    assert token not in as_alice.get("/settings/").content.decode()


@pytest.mark.parametrize("name", ["", "alice", "ALICE", "a\u202eb", "a\0b", "\u200b", "x" * 151])
def test_a_name_that_is_taken_or_hides_something_is_refused(as_alice: Client, name: str) -> None:
    assert as_alice.post("/settings/people/", {"name": name}).status_code == 422
    assert User.objects.count() == 1


def test_nobody_but_the_owner_sees_or_adds_people(as_bob: Client, alice: User, bob: User) -> None:
    assert as_bob.post("/settings/people/", {"name": "mallory"}).status_code == 403
    assert as_bob.post(f"/settings/people/{alice.pk}/link/").status_code == 403
    assert "Add somebody" not in as_bob.get("/settings/").content.decode()
    assert not SignInLink.objects.exists()


def test_the_first_page_tells_what_this_machine_has(as_bob: Client) -> None:
    page = as_bob.get("/welcome/").content.decode()
    assert "moonshine" in page
    assert "Room for recordings" in page
    assert "GB free" in page


def test_no_secret_reaches_a_row(as_alice: Client, alice: User) -> None:
    """The control marker, which takes the same way, proves that the search would find one."""
    as_alice.post("/settings/gateway/", {"where": "other", "url": "http://127.0.0.1:9/control-marker", "key": KEY})
    cells = b""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            cells += b"\0".join(_as_bytes(cell) for row in cursor.fetchall() for cell in row)
    assert b"control-marker" in cells
    assert KEY.encode() not in cells


def _as_bytes(cell: object) -> bytes:
    return bytes(cell) if isinstance(cell, bytes | memoryview) else str(cell).encode()
