"""Whatever is asked of the REST API within and without its own document, the answer is one the document has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, Phase, settings

from memweb.accounts.models import User
from memweb.gateway import keys
from memweb.gateway.api import api
from memweb.gateway.models import WebhookEndpoint
from tests.gateway.test_the_api_refuses_in_its_envelope import AT, EDGES

pytestmark = pytest.mark.django_db
DOCUMENT: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema(path_prefix=f"{AT}/")))


SCHEMA: Any = schemathesis.openapi.from_dict(DOCUMENT)
"""Asks what the document allows, and what it does not."""


@pytest.fixture
def client(settings: Any, tmp_path: Path) -> Client:
    """Somebody with a key, a webhook and all the requests there are."""
    settings.ASSET_DIR = tmp_path / "assets"
    settings.REQUESTS_PER_MINUTE = 1_000_000
    user = User.objects.create_user("owner")
    key, secret = keys.create_key(user=user, name="tests")
    WebhookEndpoint.objects.create(account=key.account, url="https://receiver.example/", secret="whsec_eA==")
    return Client(headers={"Authorization": secret}, raise_request_exception=False)


@SCHEMA.parametrize()
@settings(
    max_examples=6,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_in_the_document(case: Any, client: Client) -> None:
    answer = _ask(client, case)
    documented = {int(status) for status in case.operation.definition.raw["responses"] if status.isdecimal()}
    assert answer.status_code < 500, answer.content
    assert answer.status_code in documented | EDGES
    if answer.status_code >= 400 and case.method != "HEAD":
        body = json.loads(answer.content)
        assert body["code"] == answer.status_code
        assert body["data"] is None
        assert body.get("msg") or body.get("message")


def _ask(client: Client, case: Any) -> Any:
    """The case as a request of Django's client; the key is the client's own."""
    sent = case.as_transport_kwargs(base_url="http://testserver")
    prepared = requests.Request(**{**sent, "headers": _plain(sent.get("headers"))}).prepare()
    body = prepared.body or b""
    path = str(prepared.url).removeprefix("http://testserver")
    kind = str(prepared.headers.get("Content-Type", ""))
    return client.generic(case.method, path, body if isinstance(body, bytes) else body.encode(), kind)


def _plain(headers: Any) -> dict[str, str]:
    return {name: value for name, value in dict(headers or {}).items() if name.lower() == "content-type"}
