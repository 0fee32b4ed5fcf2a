"""`/upload`, `/upload/signed-url`, `/{asset_id}/...`, `/download`: files held by the gateway."""

from __future__ import annotations

import mimetypes
from io import BytesIO
from typing import Annotated, Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http import HttpRequest, HttpResponseBase
from django.urls import reverse
from django.utils.http import content_disposition_header
from ninja import Field, Query, Router

from memweb import ranges
from memweb.gateway import assets
from memweb.gateway.api.door import caller_of
from memweb.gateway.api.shapes import FAILURES, Answer, AssetPath, Failure, Shape
from memweb.gateway.doors import Refused
from memweb.gateway.models import Asset
from memweb.media.errors import NotMedia
from memweb.speech import envelope

router = Router(tags=["assets"])
BUCKET = "memweb"
NOT_FOUND = "Asset not found"
BROKEN = "The bytes broke off, or the form that they came in cannot be read. Bring the file again."
_SLACK = 1 << 20
"""What a multipart body may be longer than its file."""
_PIECE = 1 << 16
_FORM = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary", "description": "The file itself."}},
            }
        }
    },
}
_RAW = {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
_BYTES = {
    "200": {"description": "The file", "content": {"application/octet-stream": {}}},
    "206": {"description": "Part"},
    "416": {"description": "None of it lies in the range"},
}


Token = Annotated[str, Query(max_length=500, description="What the signed URL carries.")]

Bucket = Annotated[str, Query(description="`memweb`.")]
Blob = Annotated[str, Query(description="The asset_id.")]


class Named(Shape):
    original_filename: Annotated[str, Field(min_length=1, max_length=255, examples=["a.mp3"])]
    """What the file will be called."""


class Stored(Shape):
    asset_id: str
    """What the file is known by from now on."""


class Expected(Shape):
    asset_id: str
    """What the file will be known by."""
    signed_url: str
    """Takes the bytes once, without a key."""
    expires_in: int
    """For so many seconds."""


class Resource(Shape):
    """Sizes and times are strings; times are milliseconds since 1970."""

    extension: str
    """The end of its name, in lower case; empty where it has none."""
    asset_id: str
    """What it is known by."""
    original_filename: str
    """What it was called."""
    file_size: str
    """Bytes."""
    upload_status: str
    """WAITING, UPLOADING, SUCCESS or FAILED."""
    create_time: str
    """When it was brought or announced, in milliseconds since 1970."""
    modify_time: str
    """When its status changed."""
    reason: str | None = None
    """Why it is FAILED; left out otherwise."""


class Metadata(Shape):
    total: int
    """1."""
    resource: list[Resource]
    """The file."""


class _Into(FileUploadHandler):
    """Passes the file of a multipart body into an Incoming, piece by piece; other files are passed over."""

    def __init__(self, incoming: assets.Incoming) -> None:
        super().__init__()
        self._incoming = incoming
        self._seen = False

    def new_file(self, field_name: str, *arguments: Any, **options: Any) -> None:
        super().new_file(field_name, *arguments, **options)
        if field_name != "file" or self._seen:
            raise SkipFile
        self._seen = True

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._incoming.write(raw_data)

    def file_complete(self, file_size: int) -> UploadedFile[Any]:
        return UploadedFile(BytesIO(), self.file_name, self.content_type, file_size)


@router.post("/upload", response={200: Answer[Stored], **FAILURES}, openapi_extra={"requestBody": _FORM})
def upload(request: HttpRequest) -> dict[str, Any]:
    """Bring a file: multipart, in the field `file`. It is looked at before the answer."""
    account_id = caller_of(request).account_id
    with _incoming(request, account_id) as incoming:
        name = _take_form(request, incoming)
        asset = assets.store(account_id=account_id, name=name, incoming=incoming)
    return envelope.success({"asset_id": asset.asset_id})


@router.post("/upload/signed-url", response={200: Answer[Expected], **FAILURES})
def signed_url(request: HttpRequest, payload: Named) -> dict[str, Any]:
    """An asset, and a URL that takes its bytes without a key: PUT them raw, or POST them as the form field `file`."""
    asset = assets.expect(account_id=caller_of(request).account_id, name=payload.original_filename)
    path = reverse("gateway-api:put_bytes", args=[asset.asset_id])
    url = request.build_absolute_uri(f"{path}?token={assets.signed(asset)}")
    return envelope.success({"asset_id": asset.asset_id, "signed_url": url, "expires_in": assets.SIGNED_SECONDS})


@router.put(
    "/upload/signed/{asset_id}",
    auth=None,
    url_name="put_bytes",
    response={200: Answer[Stored], 409: Failure, **FAILURES},
    openapi_extra={"requestBody": _RAW},
)
def put_bytes(request: HttpRequest, asset_id: AssetPath, token: Token = "") -> dict[str, Any]:
    """The bytes of an asset that a URL was signed for, raw."""
    return _fulfil(request, asset_id, token)


@router.post(
    "/upload/signed/{asset_id}",
    auth=None,
    response={200: Answer[Stored], 409: Failure, **FAILURES},
    openapi_extra={"requestBody": _FORM},
)
def post_bytes(request: HttpRequest, asset_id: AssetPath, token: Token = "") -> dict[str, Any]:
    """The bytes of an asset that a URL was signed for, as the form field `file`."""
    return _fulfil(request, asset_id, token)


@router.get(
    "/{asset_id}/metadata",
    response={200: Answer[Metadata], **FAILURES},
    exclude_none=True,
)
def metadata(request: HttpRequest, asset_id: AssetPath) -> dict[str, Any]:
    """What is known of an asset. Only `SUCCESS` can be transcribed; `FAILED` says why in `reason`."""
    asset = _own(request, asset_id)
    return envelope.success({"total": 1, "resource": [_resource(asset)]})


@router.api_operation(["GET", "HEAD"], "/{asset_id}/download", response=FAILURES, openapi_extra={"responses": _BYTES})
def download(request: HttpRequest, asset_id: AssetPath) -> HttpResponseBase:
    """The file, whole or the one range asked for."""
    return _file(request, _own(request, asset_id), NOT_FOUND)


@router.get("/download", response=FAILURES, openapi_extra={"responses": _BYTES})
def download_blob(request: HttpRequest, bucket: Bucket = "", blob: Blob = "") -> HttpResponseBase:
    """The same by place: here the bucket is `memweb`, and the blob is the asset's id."""
    for name, given in (("Bucket", bucket), ("Blob", blob)):
        if not given:
            raise Refused(400, f"{name} cannot be null or empty")
    asset = assets.find(account_id=caller_of(request).account_id, asset_id=blob) if bucket == BUCKET else None
    if asset is None:
        raise Refused(400, "Resource does not exist")
    return _file(request, asset, "Resource does not exist")


@router.delete("/{asset:asset_id}", response={200: Answer[None], **FAILURES})
def delete(request: HttpRequest, asset_id: AssetPath) -> dict[str, Any]:
    """Delete an asset and its bytes."""
    assets.delete(asset=_own(request, asset_id))
    return envelope.success(None)


def _own(request: HttpRequest, asset_id: str) -> Asset:
    asset = assets.find(account_id=caller_of(request).account_id, asset_id=asset_id)
    if asset is None:
        raise Refused(400, NOT_FOUND)
    return asset


def _incoming(request: HttpRequest, account_id: int) -> assets.Incoming:
    """Room for the body. Raises Refused before anything of it is read."""
    most = assets.room(account_id)
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdecimal() and int(length) > most + _SLACK:
        raise Refused(413, f"The body is larger than this account may bring now ({most // 1_000_000} MB).")
    return assets.Incoming(most)


def _take_form(request: HttpRequest, incoming: assets.Incoming) -> str:
    """The file of a multipart body; its name."""
    if request.content_type != "multipart/form-data":
        raise Refused(415, "The Content-Type must be multipart/form-data, with the file in the field `file`.")
    request.upload_handlers = [_Into(incoming)]
    brought = request.FILES.get("file")
    if brought is None:
        raise Refused(400, "file cannot be null or empty")
    return str(brought.name)


def _take(request: HttpRequest, incoming: assets.Incoming) -> None:
    if request.method == "POST":
        _take_form(request, incoming)
        return
    while piece := request.read(_PIECE):
        incoming.write(piece)


def _fulfil(request: HttpRequest, asset_id: str, token: str) -> dict[str, Any]:
    asset = assets.of_token(token, asset_id)
    if asset is None:
        raise Refused(401, "Unauthorized")
    try:
        assets.start(asset=asset)
        with _incoming(request, asset.account_id) as incoming:
            _take(request, incoming)
            assets.fulfil(asset=asset, incoming=incoming)
    except assets.Taken:
        raise Refused(409, "This asset has its file already.") from None
    except NotMedia:
        raise  # the asset says why already
    except Exception as error:
        reason = str(error) if isinstance(error, (Refused, assets.TooLarge)) else BROKEN
        assets.broke_off(asset=asset, reason=reason)
        raise
    return envelope.success({"asset_id": asset.asset_id})


def _resource(asset: Asset) -> dict[str, Any]:
    return {
        "extension": asset.name.rpartition(".")[2].lower() if "." in asset.name else "",
        "asset_id": asset.asset_id,
        "original_filename": asset.name,
        "file_size": str(asset.size),
        "upload_status": asset.status,
        "create_time": str(int(asset.created_at.timestamp() * 1000)),
        "modify_time": str(int(asset.modified_at.timestamp() * 1000)),
        "reason": asset.reason or None,
    }


def _file(request: HttpRequest, asset: Asset, missing: str) -> HttpResponseBase:
    """What people upload is given out as an attachment, and as nothing that a browser would run."""
    if asset.status != Asset.Status.SUCCESS:
        raise Refused(400, missing)
    try:
        file = assets.path_of(asset).open("rb")
    except FileNotFoundError:
        raise Refused(400, missing) from None
    guessed = mimetypes.guess_type(asset.name)[0] or ""
    known = guessed.startswith(("audio/", "video/")) or guessed in ("image/png", "image/jpeg", "image/gif")
    headers = {
        "Content-Type": guessed if known else "application/octet-stream",
        "Content-Disposition": content_disposition_header(True, asset.name) or "attachment",
        "ETag": f'"{asset.sha256[:32]}"',
        "Cache-Control": "private, no-store",
    }
    return ranges.answer(request, file, asset.size, headers)
