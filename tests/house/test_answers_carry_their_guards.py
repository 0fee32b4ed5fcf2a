"""What every answer says about itself: content policy, frames, referrers, permissions, caches, cookies."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.running import RunningServer

pytestmark = pytest.mark.process
PAGES = ("/", "/settings/", "/settings/keys/", "/welcome/", "/transcripts/", "/nothing-here/")


@pytest.fixture(scope="module")
def browser(shared_server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shared_server.url, cookies=shared_server.sign_in(), timeout=30) as client:
        yield client


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_guarded_alike(browser: httpx.Client, path: str) -> None:
    headers = browser.get(path).headers
    policy = {part.split()[0]: part.split()[1:] for part in headers["Content-Security-Policy"].split(";")}
    assert policy["default-src"] == policy["script-src"] == policy["style-src"] == ["'self'"]
    assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == ["'none'"]
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "https:", "http:"} & {
        word for rule in policy.values() for word in rule
    }
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "microphone=(self)" in headers["Permissions-Policy"]
    assert "camera=()" in headers["Permissions-Policy"]
    assert {"private", "no-store"} & {word.strip() for word in headers["Cache-Control"].split(",")}


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_a_script_or_a_style_in_its_text(browser: httpx.Client, path: str) -> None:
    page = browser.get(path).text
    assert "<style" not in page
    assert " style=" not in page
    assert " onclick=" not in page
    assert page.count("<script") == page.count("<script src=") + page.count('<script type="module" src=')


def test_the_socket_is_allowed_by_the_policy(browser: httpx.Client, shared_server: RunningServer) -> None:
    assert f"ws://localhost:{shared_server.port}" in browser.get("/").headers["Content-Security-Policy"]


def test_cookies_are_kept_from_scripts_and_from_other_sites(shared_server: RunningServer) -> None:
    link = shared_server.manage("signinlink")
    cookies = httpx.get(link).headers.get_list("set-cookie")
    session = next(cookie for cookie in cookies if cookie.startswith("sessionid="))
    assert "HttpOnly" in session
    assert "SameSite=Lax" in session
    assert all("HttpOnly" in cookie for cookie in cookies)


def test_behind_a_proxy_cookies_and_links_are_for_https(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = {
        "MEMWEB_ENV": "production",
        "MEMWEB_PUBLIC_URL": "https://memweb.example.org",
        "MEMWEB_BEHIND_PROXY": "true",
    }
    with RunningServer(tmp_path_factory.mktemp("production"), env=settings) as server:
        proxied = {"Host": "memweb.example.org", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
        link = server.manage("signinlink")
        assert link.startswith("https://memweb.example.org/sign-in/link/")
        local = link.replace("https://memweb.example.org", server.url)
        plain = httpx.get(local, headers={"Host": "memweb.example.org"})
        assert plain.status_code == 301
        assert plain.headers["Location"] == link
        answer = httpx.get(local, headers=proxied)
        assert answer.status_code == 302
        assert all("Secure" in cookie for cookie in answer.headers.get_list("set-cookie"))
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=31536000")


def test_a_name_that_is_not_memwebs_is_refused(shared_server: RunningServer) -> None:
    answer = httpx.get(f"{shared_server.url}/sign-in/", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "memweb cannot read" in answer.text


@pytest.mark.parametrize(("path", "words"), [("/nothing-here/", "There is nothing at this address")])
def test_an_error_is_a_page_with_a_way_on(browser: httpx.Client, path: str, words: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 404
    assert words in answer.text
    assert "Go to dictation" in answer.text


def test_a_page_without_its_token_says_that_it_is_old(browser: httpx.Client) -> None:
    answer = browser.post("/settings/preference/", data={"field": "single_keys"})
    assert answer.status_code == 403
    assert "This page had grown old" in answer.text
