"""An owner's images and audio in a zip."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from converters.errors import SourceInvalid
from converters.samples.uploaded_audio import audio
from converters.samples.uploaded_images import images
from tests.converters.samples.owners import npy, picture, sound, zip_of

TONE = np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000).astype(np.float32) / 2


def test_images_of_all_formats_are_read_whatever_their_names(tmp_path: Path) -> None:
    files = {f"{number}/image": picture(number, kind) for number, kind in enumerate(("PNG", "JPEG", "WEBP", "BMP"))}
    clutter = {"__MACOSX/._image": b"resource fork", "Thumbs.db": b"thumbs", "folder/": b""}
    found = images(zip_of(tmp_path / "calibration.zip", files | clutter))
    assert sorted(image.encoded for image in found.items) == sorted(files.values())
    assert {(image.width, image.height) for image in found.items} == {(12, 8)}
    assert all(image.pixels().shape == (8, 12, 3) for image in found.items)
    assert found.data().description == "The owner's own images, calibration.zip"


def test_the_same_pixels_twice_are_one_image(tmp_path: Path) -> None:
    files = {"a.png": picture(1), "b.bmp": picture(1, "BMP"), "c.png": picture(2)}
    assert len(images(zip_of(tmp_path / "calibration.zip", files)).items) == 2


def test_a_photograph_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    file = io.BytesIO()
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # turn by a quarter
    PIL.Image.new("RGB", (12, 8)).save(file, "JPEG", exif=exif)
    (image,) = images(zip_of(tmp_path / "calibration.zip", {"a.jpg": file.getvalue()})).items
    assert (image.width, image.height) == (8, 12)
    assert image.pixels().shape == (12, 8, 3)


def test_clips_of_all_formats_are_one_channel_at_the_rate_asked_for(tmp_path: Path) -> None:
    stereo = np.stack([np.repeat(TONE, 3)] * 2, axis=1)
    files = {
        "a.wav": sound(TONE),
        "b.flac": sound(stereo, 48_000, "FLAC"),
        "c.ogg": sound(TONE, 16_000, "OGG", "VORBIS"),
    }
    clips = audio(zip_of(tmp_path / "calibration.zip", files), 16_000).items
    assert len(clips) == 3
    assert all(clip.samples.dtype == np.float32 and len(clip.samples) == 32_000 for clip in clips)
    assert all(0.3 < clip.samples[1000:-1000].std() < 0.4 for clip in clips)


def test_an_hour_of_clips_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("converters.samples.uploaded_audio._ALL_SECONDS", 5)
    path = zip_of(tmp_path / "calibration.zip", {str(i): sound(TONE * i / 9) for i in range(1, 9)})
    assert len(audio(path, 16_000, seed=3).items) == 3
    assert audio(path, 16_000, seed=3).keys == audio(path, 16_000, seed=3).keys


def test_not_more_images_are_decoded_than_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("converters.samples.uploaded_images.MOST_IMAGES", 5)
    path = zip_of(tmp_path / "calibration.zip", {str(i): picture(i) for i in range(20)})
    assert len(images(path).items) == 5
    assert images(path, seed=1).keys != images(path, seed=2).keys


def _animation() -> bytes:
    file = io.BytesIO()
    frames = [PIL.Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:])
    return file.getvalue()


BAD_IMAGES: dict[str, tuple[bytes, str]] = {
    "audio": (sound(TONE), "which is audio"),
    "arrays": (npy(np.zeros(3)), "which is a NumPy array"),
    "text": (b"a label", "which is none of the formats"),
    "a zip": (b"PK\x03\x04 and more", "which is an archive"),
    "half an image": (picture(1)[:-30], "damaged"),
    "an animation": (_animation(), "animated"),
    "a GIF": (picture(1, "GIF"), "none of the formats"),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_what_is_wrong_with_images_is_said(case: str, tmp_path: Path) -> None:
    content, message = BAD_IMAGES[case]
    path = zip_of(tmp_path / "calibration.zip", {"images/a.png": picture(0), "images/b.png": content})
    with pytest.raises(SourceInvalid, match=rf"^calibration\.zip holds 'b\.png'.*{message}") as error:
        images(path)
    assert "PNG, JPEG, WebP or BMP" in error.value.remedy


BAD_AUDIO: dict[str, tuple[bytes, str]] = {
    "images": (picture(1), "which is an image"),
    "text": (b"a label", "which is none of the formats"),
    "half a FLAC": (sound(TONE, kind="FLAC")[:-500], "damaged"),
    "no sample": (sound(TONE[:0]), "empty"),
    "NaN": (sound(np.full(100, np.nan), subtype="FLOAT"), "not finite"),
    "1 Hz": (sound(TONE, rate=1), "damaged"),
    "nine channels": (sound(np.zeros((10, 9))), "damaged"),
    "eleven minutes of silence": (sound(np.zeros(8000 * 660, np.int16), 8000, "FLAC"), "too long"),
}


@pytest.mark.parametrize("case", BAD_AUDIO)
def test_what_is_wrong_with_audio_is_said(case: str, tmp_path: Path) -> None:
    content, message = BAD_AUDIO[case]
    path = zip_of(tmp_path / "calibration.zip", {"clips/a.wav": content})
    with pytest.raises(SourceInvalid, match=rf"^calibration\.zip holds 'a\.wav'.*{message}") as error:
        audio(path, 16_000)
    assert "WAV, FLAC or Ogg" in error.value.remedy
