"""What a file holds, told from its first bytes: names and extensions are the owner's to choose."""

from __future__ import annotations

from enum import StrEnum


class Content(StrEnum):
    """The kinds of files that come in a calibration archive; `OTHER` is what none of the readers takes."""

    IMAGE = "an image"
    AUDIO = "audio"
    ARRAY = "a NumPy array"
    ARCHIVE = "an archive"
    OTHER = "none of the formats that are read"


_MAGIC = {
    b"\x89PNG\r\n\x1a\n": Content.IMAGE,
    b"\xff\xd8\xff": Content.IMAGE,
    b"BM": Content.IMAGE,
    b"fLaC": Content.AUDIO,
    b"OggS": Content.AUDIO,
    b"\x93NUMPY": Content.ARRAY,
    b"PK\x03\x04": Content.ARCHIVE,
    b"PK\x05\x06": Content.ARCHIVE,
}
_RIFF = {b"WAVE": Content.AUDIO, b"WEBP": Content.IMAGE}


def content_of(data: bytes) -> Content:
    """The kind of `data`: PNG, JPEG, BMP, WebP; WAV, FLAC, Ogg; .npy; zip (which .npz is)."""
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12], Content.OTHER)
    return next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), Content.OTHER)
