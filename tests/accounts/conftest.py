"""Alice owns this memweb, Bob is another of its people."""

from __future__ import annotations

import pytest
from django.test import Client

from memweb.accounts.models import User

PASSWORD = "a-good-long-password"


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_superuser("alice", password=PASSWORD)


@pytest.fixture
def bob(db: None) -> User:
    return User.objects.create_user("bob", password=PASSWORD)


@pytest.fixture
def as_alice(alice: User) -> Client:
    client = Client()
    client.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def as_bob(bob: User) -> Client:
    client = Client()
    client.force_login(bob, backend="django.contrib.auth.backends.ModelBackend")
    return client
