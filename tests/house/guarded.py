"""Every address of memweb, and what each visitor gets there. Kept beside the test that holds it to the truth."""

from __future__ import annotations

from dataclasses import dataclass, field

SIGN_IN = 302  # anonymous visitors of a page are sent to the door


@dataclass(frozen=True)
class Door:
    """One verb at one route: what the owner, another user, and visitors with no session get.

    `path` is filled in with the ids of what the owner has. `key` and `revoked` are the answers to an API key
    without a session; where they are left out, a key is worth nothing and counts as anonymous.
    """

    verb: str
    path: str
    owner: int
    other: int
    anonymous: int = SIGN_IN
    key: int | None = None
    revoked: int | None = None
    data: dict[str, str] = field(default_factory=dict)
    ends_session: bool = False


def page(path: str, owner: int = 200, other: int | None = None) -> Door:
    return Door("GET", path, owner, owner if other is None else other)


def deed(path: str, owner: int = 302, other: int | None = None, **data: str) -> Door:
    return Door("POST", path, owner, owner if other is None else other, data=data)


RECORD = "/transcripts/{record}/"
# By route, as the resolver spells it. What belongs to the owner does not exist (404) for anybody else.
HTTP: dict[str, Door] = {
    "healthz": Door("GET", "/healthz", 200, 200, anonymous=200),
    # accounts
    "sign-in/": Door("GET", "/sign-in/", 302, 302, anonymous=200),
    "sign-in/link/<str:token>": Door("GET", "/sign-in/link/nothing", 302, 302, anonymous=410),
    "sign-up/": Door("GET", "/sign-up/", 404, 404, anonymous=404),
    "welcome/": page("/welcome/"),
    "settings/": page("/settings/"),
    "settings/preference/": deed("/settings/preference/", field="single_keys", single_keys="on"),
    "settings/gateway/": deed("/settings/gateway/", where="built-in"),
    "settings/gateway/trial/": deed("/settings/gateway/trial/"),
    "settings/people/": deed("/settings/people/", 200, 403, name="Carol"),
    "settings/people/<int:pk>/link/": deed("/settings/people/{owner}/link/", 200, 403),
    "settings/password/": Door(
        "POST", "/settings/password/", 302, 302, data={"password": "a-good-long-one"}, ends_session=True
    ),
    "settings/sign-out-everywhere/": Door("POST", "/settings/sign-out-everywhere/", 302, 302, ends_session=True),
    "sign-out/": Door("POST", "/sign-out/", 302, 302, ends_session=True),
    # gateway
    "settings/keys/": page("/settings/keys/"),
    "settings/keys/<int:pk>/revocation/": deed("/settings/keys/{key_id}/revocation/", 302, 404),
    "v1/single-use-token/realtime_scribe": Door(
        "POST", "/v1/single-use-token/realtime_scribe", 401, 401, anonymous=401, key=200, revoked=401
    ),
    "v3/token": Door("GET", "/v3/token?expires_in_seconds=60", 401, 401, anonymous=401, key=200, revoked=401),
    "serve/ws/v2/audio-stream": Door("GET", "/serve/ws/v2/audio-stream", 426, 426, anonymous=426),
    "v1/speech-to-text/realtime": Door("GET", "/v1/speech-to-text/realtime", 426, 426, anonymous=426),
    "v3/ws": Door("GET", "/v3/ws", 426, 426, anonymous=426),
    # dictation
    "": page("/"),
    "dictation/<uuid:record_id>/audio/": page("/dictation/{unfinished}/audio/", 200, 404),
    "dictation/<uuid:record_id>/finish/": deed("/dictation/{unfinished}/finish/", 302, 404),
    # transcripts
    "transcripts/": page("/transcripts/"),
    "transcripts/<uuid:record_id>/": page(RECORD, 200, 404),
    "transcripts/<uuid:record_id>/segments/": page(RECORD + "segments/", 200, 404),
    "transcripts/<uuid:record_id>/state/": page(RECORD + "state/", 200, 404),
    "transcripts/<uuid:record_id>/title/": deed(RECORD + "title/", 302, 404, title="New"),
    "transcripts/<uuid:record_id>/version/": deed(RECORD + "version/", 302, 404, number="1"),
    "transcripts/<uuid:record_id>/retry/": deed(RECORD + "retry/", 302, 404),
    "transcripts/<uuid:record_id>/audio/": page(RECORD + "audio/", 200, 404),
    "transcripts/<uuid:record_id>/peaks/": page(RECORD + "peaks/", 200, 404),
    "transcripts/<uuid:record_id>/export/<str:extension>": page(RECORD + "export/txt", 200, 404),
    "transcripts/<uuid:record_id>/restoration/": deed("/transcripts/{binned}/restoration/", 302, 404),
    "transcripts/<uuid:record_id>/bin/": deed("/transcripts/{binnable}/bin/", 302, 404),
}


@dataclass(frozen=True)
class Socket:
    """One socket: the status of the handshake, or, after 101, the close code (None: it stays open)."""

    path: str
    owner: tuple[int, int | None]
    other: tuple[int, int | None]
    anonymous: tuple[int, int | None]
    key: tuple[int, int | None]
    revoked: tuple[int, int | None]


REFUSED, OPEN, SIGNED_OUT = (401, None), (101, None), (101, 4401)


def by_key(path: str) -> Socket:
    return Socket(path, owner=REFUSED, other=REFUSED, anonymous=REFUSED, key=OPEN, revoked=REFUSED)


SOCKETS: dict[str, Socket] = {
    "ws/dictation/<uuid:record_id>/": Socket(
        "/ws/dictation/{unfinished}/",
        owner=OPEN,
        other=(101, 4404),
        anonymous=SIGNED_OUT,
        key=SIGNED_OUT,
        revoked=SIGNED_OUT,
    ),
    "/serve/ws/v2/audio-stream": by_key("/serve/ws/v2/audio-stream?provider=assemblyai"),
    "/v1/speech-to-text/realtime": by_key("/v1/speech-to-text/realtime"),
    "/v3/ws": by_key("/v3/ws?sample_rate=16000"),
}
