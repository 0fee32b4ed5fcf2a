"""The ordinary way to relay a microphone with Channels, as the tutorials show it: the peer of `benchmarks.live`.

An `AsyncWebsocketConsumer` on stock Daphne, with a client of the websockets library to the upstream. It
stores nothing and acknowledges nothing. ``SIMULATOR`` in the environment names the upstream.
"""

from __future__ import annotations

import asyncio
import os

import django
from django.conf import settings

settings.configure(
    DEBUG=False, SECRET_KEY="benchmark", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
)  # fmt: skip
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path
from websockets.asyncio.client import connect

urlpatterns: list[object] = []


class StockConsumer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        self.upstream = await connect(os.environ["SIMULATOR"], compression=None)
        await self.accept()
        self.reader = asyncio.create_task(self.read())

    async def read(self) -> None:
        async for message in self.upstream:
            await self.send(text_data=message)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if bytes_data:
            await self.upstream.send(bytes_data)

    async def disconnect(self, code: int) -> None:
        self.reader.cancel()
        await self.upstream.close()


application = ProtocolTypeRouter(
    {"http": get_asgi_application(), "websocket": URLRouter([path("ws/", StockConsumer.as_asgi())])}
)
