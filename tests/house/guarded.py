"""Every address of memweb, and what each visitor gets there. Kept beside the test that holds it to the truth."""

from __future__ import annotations

from dataclasses import dataclass, field

SIGN_IN = 302  # anonymous visitors of a page are sent to the door


@dataclass(frozen=True)
class Door:
    """One verb at one route: what the owner, another user, and visitors with no session get.

    `path` is filled in with the ids of what the owner has. `key`, `revoked` and `other_key` (another account's) are
    the answers to an API key without a session; where they are left out, a key is worth nothing and counts as
    anonymous, and another account's is worth as much as the owner's.
    """

    verb: str
    path: str
    owner: int
    other: int
    anonymous: int = SIGN_IN
    key: int | None = None
    revoked: int | None = None
    other_key: int | None = None
    data: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    ends_session: bool = False


def page(path: str, owner: int = 200, other: int | None = None) -> Door:
    return Door("GET", path, owner, owner if other is None else other)


def deed(path: str, owner: int = 302, other: int | None = None, **data: str) -> Door:
    return Door("POST", path, owner, owner if other is None else other, data=data)


def of_a_key(verb: str, path: str, key: int = 200, other_key: int | None = 400) -> Door:
    """Something of the owner's at the gateway: sessions are nobody there, and another's key finds nothing."""
    return Door(verb, path, 401, 401, anonymous=401, key=key, revoked=401, other_key=other_key)


def tus(verb: str, path: str, owner: int, other: int) -> Door:
    return Door(verb, path, owner, other, anonymous=401, headers={"Tus-Resumable": "1.0.0"})


def native(verb: str, path: str, key: int) -> Door:
    """An address of a provider's own API: nothing without a key."""
    return Door(verb, f"/{path}", 401, 401, anonymous=401, key=key, revoked=401)


def by_api_key(answers: dict[str, int]) -> dict[str, Door]:
    """POSTs of the REST API, sent by a form, which none of them takes as it is: what a key gets for that."""
    at = "serve/api/v2/"
    return {
        at + path: Door("POST", f"/{at}{path}", 401, 401, anonymous=401, key=status, revoked=401)
        for path, status in answers.items()
    }


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
    "reference/": Door("GET", "/reference/", 200, 200, anonymous=200),
    "reference/<slug:part>/": Door("GET", "/reference/operations/", 200, 200, anonymous=200),
    "settings/keys/": page("/settings/keys/"),
    "settings/webhook/": page("/settings/webhook/"),
    "settings/webhook/secret/": deed("/settings/webhook/secret/", 200, 404),
    "settings/webhook/state/": deed("/settings/webhook/state/", 302, 404, state="active"),
    "settings/webhook/trial/": deed("/settings/webhook/trial/", 302, 404),
    "settings/webhook/deliveries/": page("/settings/webhook/deliveries/"),
    "settings/webhook/deliveries/<int:pk>/replay/": deed("/settings/webhook/deliveries/{delivery}/replay/", 302, 404),
    "settings/keys/<int:pk>/revocation/": deed("/settings/keys/{key_id}/revocation/", 302, 404),
    "settings/usage/": page("/settings/usage/"),
    "settings/usage/csv/": page("/settings/usage/csv/"),
    "settings/usage/balance/<int:pk>/": deed("/settings/usage/balance/{owner}/", 302, 403, balance="unlimited"),
    "v1/single-use-token/realtime_scribe": Door(
        "POST", "/v1/single-use-token/realtime_scribe", 401, 401, anonymous=401, key=200, revoked=401
    ),
    "v3/token": Door("GET", "/v3/token?expires_in_seconds=60", 401, 401, anonymous=401, key=200, revoked=401),
    "serve/ws/v2/audio-stream": Door("GET", "/serve/ws/v2/audio-stream", 426, 426, anonymous=426),
    "v1/speech-to-text/realtime": Door("GET", "/v1/speech-to-text/realtime", 426, 426, anonymous=426),
    "v3/ws": Door("GET", "/v3/ws", 426, 426, anonymous=426),
    # the gateway's REST API: by key alone
    "serve/api/v2/openapi.json": Door("GET", "/serve/api/v2/openapi.json", 200, 200, anonymous=200),
    "serve/api/v2/providers": Door("GET", "/serve/api/v2/providers", 401, 401, anonymous=401, key=200, revoked=401),
    "serve/api/v2/": Door("GET", "/serve/api/v2/", 404, 404, anonymous=404),
    "serve/api/v2/upload/signed/<asset_id>": Door(
        "PUT", "/serve/api/v2/upload/signed/{asset}", 401, 401, anonymous=401
    ),
    "serve/api/v2/<asset_id>/metadata": of_a_key("GET", "/serve/api/v2/{asset}/metadata"),
    "serve/api/v2/<asset_id>/download": of_a_key("GET", "/serve/api/v2/{asset}/download"),
    "serve/api/v2/download": of_a_key("GET", "/serve/api/v2/download?bucket=memweb&blob={asset}"),
    "serve/api/v2/<asset:asset_id>": of_a_key("DELETE", "/serve/api/v2/{asset}"),
    "serve/api/v2/tasks/<task_id>": Door(
        "GET", "/serve/api/v2/tasks/none", 401, 401, anonymous=401, key=400, revoked=401
    ),
    "^serve/api/v2(?:/|$)": Door("GET", "/serve/api/v2/nothing", 404, 404, anonymous=404),
    "serve/api/v2/webhook": Door("GET", "/serve/api/v2/webhook", 401, 401, anonymous=401, key=200, revoked=401),
    "serve/api/v2/webhook/deliveries": Door(
        "GET", "/serve/api/v2/webhook/deliveries", 401, 401, anonymous=401, key=200, revoked=401
    ),
    "serve/api/v2/webhook/deliveries/<int:pk>/replay": of_a_key(
        "POST", "/serve/api/v2/webhook/deliveries/{delivery}/replay"
    ),
    **{
        f"serve/api/v2/webhook/{deed}": of_a_key("POST", f"/serve/api/v2/webhook/{deed}")
        for deed in ("secret", "pause", "resume", "test")
    },
    **by_api_key(
        {
            "audio-stream/start": 400,
            "audio-stream/stop": 400,
            "upload": 415,
            "upload/signed-url": 400,
            "transcriptions/sync-generate-audio": 400,
            "transcriptions/async-generate-audio": 400,
            "transcriptions/sync-generate-speaker": 400,
            "transcriptions/async-generate-speaker": 400,
            "transcriptions/async-generate-multi-speaker": 400,
            "transcriptions/async-summary": 400,
            "transcriptions/async-generate-video": 400,
            "transcriptions/speech-to-text": 400,
        }
    ),
    # the providers' own addresses for files
    "v1/speech-to-text": native("POST", "v1/speech-to-text", 415),
    "v1/speech-to-text/transcripts/<str:id>": native("GET", "v1/speech-to-text/transcripts/nothing", 404),
    "v1/single-use-token/batch_scribe": native("POST", "v1/single-use-token/batch_scribe", 200),
    "v2/upload": native("POST", "v2/upload", 400),
    "v2/transcript": native("GET", "v2/transcript", 200),
    "v2/transcript/<str:id>": native("GET", "v2/transcript/nothing", 404),
    **{
        f"v2/transcript/<str:id>/{part}": native("GET", f"v2/transcript/nothing/{part}", 404)
        for part in ("sentences", "paragraphs", "srt", "vtt", "word-search", "redacted-audio")
    },
    "v1/audio/transcriptions": native("POST", "v1/audio/transcriptions", 415),
    "v1/models": native("GET", "v1/models", 200),
    "v1/models/<str:name>": native("GET", "v1/models/whisper-1", 200),
    "settings/webhook/removal/": deed("/settings/webhook/removal/"),  # after those who need it
    # dictation
    "": page("/"),
    "captions/<str:token>/": Door("GET", "{captions}", 200, 200, anonymous=200),
    "dictation/<uuid:record_id>/audio/": page("/dictation/{unfinished}/audio/", 200, 404),
    "dictation/<uuid:record_id>/finish/": deed("/dictation/{unfinished}/finish/", 302, 404),
    # uploads
    "upload/": page("/upload/"),
    "upload/options/": deed("/upload/options/", language="de"),
    "upload/sample/": deed("/upload/sample/"),
    "upload/clearing/": deed("/upload/clearing/"),
    "upload/<uuid:upload_id>/": page("/upload/{upload}/", 200, 404),
    "upload/<uuid:upload_id>/again/": deed("/upload/{duplicate}/again/", 302, 404),
    "upload/<uuid:upload_id>/retry/": deed("/upload/{taken}/retry/", 302, 404),
    "upload/<uuid:upload_id>/stop/": deed("/upload/{taken}/stop/", 302, 404),
    "upload/<uuid:upload_id>/dismissal/": deed("/upload/{dismissible}/dismissal/", 302, 404),
    # tus says more in its own test
    "uploads/": tus("POST", "/uploads/", 400, 400),
    "uploads/<uuid:upload_id>/": tus("HEAD", "/uploads/{upload}/", 200, 404),
    # transcripts
    "transcripts/": page("/transcripts/?q=word"),
    "transcripts/choices/<str:name>/": page("/transcripts/choices/tag/"),
    "transcripts/selection/": deed("/transcripts/selection/", deed="pin"),
    "transcripts/bin/": page("/transcripts/bin/"),
    "transcripts/bin/farewell/": deed("/transcripts/bin/farewell/", 302),
    "transcripts/<uuid:record_id>/moments/": page(RECORD + "moments/?q=word", 200, 404),
    "settings/archive/": page("/settings/archive/"),
    "settings/archive/file/": page("/settings/archive/file/"),
    "settings/callbacks/": page("/settings/callbacks/"),
    "settings/callbacks/address/": page("/settings/callbacks/address/"),
    "settings/callbacks/<int:pk>/": page("/settings/callbacks/{callback}/", 200, 404),
    "settings/callbacks/<int:pk>/body/": page("/settings/callbacks/{callback}/body/", 200, 404),
    "settings/callbacks/<int:pk>/application/": deed("/settings/callbacks/{callback}/application/", 302, 404),
    "transcripts/<uuid:record_id>/panels/": page(RECORD + "panels/", 200, 404),
    "transcripts/<uuid:record_id>/results/<int:connection>/": page(RECORD + "results/1/", 200, 404),
    "transcripts/<uuid:record_id>/": page(RECORD, 200, 404),
    "transcripts/<uuid:record_id>/segments/": page(RECORD + "segments/", 200, 404),
    "streams/": page("/streams/"),
    "streams/air/": page("/streams/air/"),
    "streams/<uuid:record_id>/again/": page("/streams/{record}/again/", 200, 404),
    "streams/<uuid:record_id>/stop/": deed("/streams/{record}/stop/", 302, 404),
    "transcripts/import/": deed("/transcripts/import/"),
    "transcripts/<uuid:record_id>/versions/": deed(RECORD + "versions/", 302, 404),
    "transcripts/<uuid:record_id>/text/": page(RECORD + "text/?segment=1-0", 200, 404),
    "transcripts/<uuid:record_id>/paragraph/": deed(RECORD + "paragraph/", 302, 404, do="split", segment="1-0:0"),
    "transcripts/<uuid:record_id>/speaker/": deed(RECORD + "speaker/", 302, 404, name="Ann", segment="1-0:0"),
    "transcripts/<uuid:record_id>/speakers/<int:pk>/": deed(RECORD + "speakers/{speaker}/", 302, 404, name="Ann"),
    "transcripts/<uuid:record_id>/replacement/": deed(RECORD + "replacement/", 302, 404, find="nothing", put="x"),
    "transcripts/<uuid:record_id>/undoing/": deed(RECORD + "undoing/", 302, 404),
    "transcripts/<uuid:record_id>/changes/": page(RECORD + "changes/", 200, 404),
    "transcripts/<uuid:record_id>/changes/<int:pk>/restoration/": deed(
        RECORD + "changes/{edit}/restoration/", 302, 404
    ),
    "transcripts/<uuid:record_id>/comparison/<int:left>/<int:right>/": page(RECORD + "comparison/1/1/", 200, 404),
    "transcripts/<uuid:record_id>/find/": page(RECORD + "find/?q=one", 200, 404),
    "transcripts/<uuid:record_id>/voices/": page(RECORD + "voices/", 200, 404),
    "transcripts/<uuid:record_id>/state/": page(RECORD + "state/", 200, 404),
    "transcripts/<uuid:record_id>/title/": deed(RECORD + "title/", 302, 404, title="New"),
    "transcripts/<uuid:record_id>/version/": deed(RECORD + "version/", 302, 404, number="1"),
    "transcripts/<uuid:record_id>/again/": page(RECORD + "again/", 200, 404),
    "transcripts/<uuid:record_id>/stop/": deed(RECORD + "stop/", 302, 404),
    "transcripts/<uuid:record_id>/retry/": deed(RECORD + "retry/", 302, 404),
    "transcripts/<uuid:record_id>/marks/": page(RECORD + "marks/", 200, 404),
    "transcripts/<uuid:record_id>/marks/<int:pk>/": deed(RECORD + "marks/{mark}/", 302, 404, note="New"),
    "transcripts/<uuid:record_id>/marks/<int:pk>/removal/": deed(RECORD + "marks/{mark}/removal/", 302, 404),
    "transcripts/<uuid:record_id>/shares/": page(RECORD + "shares/", 200, 404),
    **{
        f"shared/<str:token>/{part}": Door("GET", "{shared}" + part, 200, 200, anonymous=200)
        for part in ("", "audio/", "peaks/", "voices/")
    },
    "transcripts/<uuid:record_id>/shares/<int:pk>/stopping/": deed(RECORD + "shares/{share}/stopping/", 302, 404),
    "transcripts/<uuid:record_id>/audio/": page(RECORD + "audio/", 200, 404),
    "transcripts/<uuid:record_id>/peaks/": page(RECORD + "peaks/", 200, 404),
    "transcripts/export/": deed("/transcripts/export/", format="txt"),
    "transcripts/<uuid:record_id>/payloads/": page(RECORD + "payloads/", 200, 404),
    "transcripts/<uuid:record_id>/export/": page(RECORD + "export/", 200, 404),
    "transcripts/<uuid:record_id>/export/<str:extension>": page(RECORD + "export/txt", 200, 404),
    "transcripts/<uuid:record_id>/restoration/": deed("/transcripts/{binned}/restoration/", 302, 404),
    "transcripts/<uuid:record_id>/bin/": deed("/transcripts/{binnable}/bin/", 302, 404),
}


# What else a route takes, met after all of the above: each verb has a guard of its own, or none.
FURTHER: list[tuple[str, Door]] = [
    ("sign-in/", Door("POST", "/sign-in/", 422, 422, anonymous=422)),
    ("sign-up/", Door("POST", "/sign-up/", 404, 404, anonymous=404)),
    ("settings/keys/", deed("/settings/keys/", 422)),
    ("settings/webhook/", deed("/settings/webhook/", 422, url="ftp://hook.example/")),
    ("upload/", deed("/upload/")),
    ("streams/", deed("/streams/", 422)),
    ("settings/callbacks/address/", deed("/settings/callbacks/address/")),
    *(
        (f"transcripts/<uuid:record_id>/{part}/", deed(f"{RECORD}{part}/", 302, 404, segment="1-0:0"))
        for part in ("text", "again", "marks", "shares", "export")
    ),
    (
        "transcripts/<uuid:record_id>/comparison/<int:left>/<int:right>/",
        deed(RECORD + "comparison/1/1/", 302, 404, **{"from": "1-0:0", "to": "1-0:0"}),
    ),
    ("serve/api/v2/upload/signed/<asset_id>", Door("POST", "/serve/api/v2/upload/signed/{asset}", 401, 401, 401)),
    ("serve/api/v2/tasks/<task_id>", of_a_key("DELETE", "/serve/api/v2/tasks/none", 400)),
    ("serve/api/v2/webhook", of_a_key("PUT", "/serve/api/v2/webhook", 400)),
    ("serve/api/v2/webhook", of_a_key("DELETE", "/serve/api/v2/webhook", 200, 200)),
    ("v1/speech-to-text/transcripts/<str:id>", native("DELETE", "v1/speech-to-text/transcripts/nothing", 404)),
    ("v2/transcript", native("POST", "v2/transcript", 415)),
    ("v2/transcript/<str:id>", native("DELETE", "v2/transcript/nothing", 404)),
    ("uploads/<uuid:upload_id>/", tus("PATCH", "/uploads/{upload}/", 415, 404)),
    ("uploads/<uuid:upload_id>/", tus("DELETE", "/uploads/{upload}/", 204, 404)),
]
DOORS = [*HTTP.items(), *FURTHER]


# Answered ahead of Django: the secret in the path is all that counts, and who else knocks does not matter.
BARE: dict[str, Door] = {
    "/hooks/<secret>/": Door("POST", "{hook}", 200, 200, anonymous=200, key=200, revoked=200),
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
    "ws/captions/<str:token>/": Socket("/ws{captions}", owner=OPEN, other=OPEN, anonymous=OPEN, key=OPEN, revoked=OPEN),
    "/serve/ws/v2/audio-stream": by_key("/serve/ws/v2/audio-stream?provider=assemblyai"),
    "/v1/speech-to-text/realtime": by_key("/v1/speech-to-text/realtime"),
    "/v3/ws": by_key("/v3/ws?sample_rate=16000"),
}
