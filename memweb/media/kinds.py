"""What media is, by its first bytes alone: names and types that people give say nothing here.

The demuxer is chosen here and never guessed by FFmpeg. Playlists, manifests, subtitles and pictures are no kind of
ours, so that nothing can make the decoder read another file or address.
"""

from __future__ import annotations

from memweb.media.errors import NotMedia

HEAD = 1 << 16
"""Bytes that tell it, also after a long tag."""
NAMES = (
    "WAV, MP3, M4A, AAC, FLAC, OGG, Opus, WebM, MP4, MOV, MKV, AVI, WMA, FLV, AIFF, AMR, AC-3, WavPack, MTS and MPEG"
)

_PLAYLISTS = (b"#extm3u", b"ffconcat", b"v=0", b"[playlist]", b"<?xml", b"<smil", b"<asx", b"#!rtsp", b"rtsptext")
_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"II*\x00", b"MM\x00*")
_FIRST = {
    b"fLaC": "flac",
    b"OggS": "ogg",
    b"\x1a\x45\xdf\xa3": "matroska",
    b"FLV\x01": "flv",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "asf",
    b"\x00\x00\x01\xba": "mpeg",
    b"#!AMR": "amr",
    b"caff": "caf",
    b"wvpk": "wv",
    b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00": "w64",
    b".snd": "au",
}
_RIFF = {b"WAVE": "wav", b"AVI ": "avi"}
_PACKETS = ((0, 188), (4, 192))
"""Where the first packet of an MPEG stream begins, and how long each is: camcorders (AVCHD) put a time before each."""
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")


def is_image(head: bytes) -> bool:
    """Whether it begins as a picture does."""
    return head.startswith(_IMAGES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def demuxer(head: bytes) -> str:
    """The name of FFmpeg's demuxer for what begins like this (a few kB). Raises NotMedia."""
    if not head:
        raise NotMedia("The file is empty.")
    if is_image(head):
        raise NotMedia("The file is a picture: it has no sound.")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PLAYLISTS):
        raise NotMedia("The file is a playlist or a description, which names media elsewhere. Bring the media itself.")
    for first, known in _FIRST.items():
        if head.startswith(first):
            return known
    name = _in_container(head) or _bare(head)
    if name is None:
        raise NotMedia(f"This is no recording. memweb reads {NAMES}.")
    return name


def _in_container(head: bytes) -> str | None:
    if head[:4] in (b"RIFF", b"RF64", b"BW64"):
        return _RIFF.get(head[8:12])
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return "aiff"
    if head[4:8] in _BOXES:
        return "mov"
    return "mpegts" if any(_is_packets(head[at:], size) for at, size in _PACKETS) else None


def _is_packets(head: bytes, size: int) -> bool:
    begin = head[: 4 * size : size]
    return len(head) >= 188 and begin == b"G" * len(begin)


def _bare(head: bytes) -> str | None:
    """MP3, AAC and AC-3 have no head: frames follow each other, perhaps after a tag."""
    if head[:3] == b"ID3" and len(head) >= 10:
        size = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        after = head[size:] if size < len(head) - 4 else b""
        return "flac" if after.startswith(b"fLaC") else (_bare(after) or "mp3")
    if head[:2] == b"\x0b\x77" and len(head) > 5 and head[5] >> 3 <= 16:
        return "ac3" if head[5] >> 3 <= 10 else "eac3"
    if len(head) < 4 or head[0] != 0xFF or head[1] == 0xFE:  # the latter is text in UTF-16, and no MP3
        return None
    if head[1] & 0xF6 == 0xF0:
        return "aac"
    return "mp3" if head[1] & 0xE0 == 0xE0 and head[1] & 0x06 else None


def is_short(head: bytes, size: int) -> bool:
    """Whether a RIFF file is shorter than its head says: FFmpeg passes over that. Writers of streams say 0 or -1."""
    told = int.from_bytes(head[4:8], "little")
    return head[:4] == b"RIFF" and told not in (0, 0xFFFFFFFF) and told + 8 > size + 2
