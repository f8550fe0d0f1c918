import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from registry.spec.image import cut_out, decode, pad_to, pixels, resize

RANDOM = np.random.default_rng(3)


def picture(height: int, width: int) -> np.ndarray:
    """Smooth, so that resampling errors are small and misplacements are large."""
    small = Pillow.fromarray(RANDOM.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    return np.asarray(small.resize((width, height), Pillow.Resampling.BICUBIC))


def encoded(image: np.ndarray, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(image).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("size", [(20, 30), (37, 91), (120, 160), (40, 200)])
def test_resizing_is_what_pillow_does(size: tuple[int, int]) -> None:
    image = picture(60, 80)
    expected = Pillow.fromarray(image).resize(size[::-1], Pillow.Resampling.BILINEAR)
    assert np.abs(resize(image, *size).astype(int) - np.asarray(expected).astype(int)).max() <= 1


def test_a_picture_is_decoded_upright_and_in_three_colours() -> None:
    image = picture(20, 30)
    exif = Pillow.Exif()
    exif[0x0112] = 6  # the camera was turned: show it by a quarter turn clockwise
    assert np.array_equal(decode(encoded(image, "PNG", exif=exif)), np.rot90(image, -1))
    assert decode(encoded(image[..., 0], "PNG")).shape == (20, 30, 3)


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"%PDF-1.7 no picture", encoded(picture(64, 64), "PNG")[:200]])
def test_what_is_no_whole_picture_is_refused_with_a_remedy(content: bytes) -> None:
    with pytest.raises(ValueError, match="Send a whole JPEG"):
        decode(content)


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    file = io.BytesIO()
    Pillow.new("1", (9000, 5000)).save(file, "PNG")
    with pytest.raises(ValueError, match="9000 × 5000"):
        decode(file.getvalue())


@pytest.mark.parametrize("size", [(9000, 5000), (20_001, 1), (20_000, 20_000)])
def test_the_header_alone_says_that_a_picture_is_too_large(size: tuple[int, int]) -> None:
    file = io.BytesIO()
    Pillow.new("1", size).save(file, "PNG")
    with pytest.raises(ValueError, match="no side longer than 20,000"):
        pixels(file.getvalue()[:100])


def test_pixels_are_counted_without_decoding_them() -> None:
    assert pixels(encoded(picture(20, 30), "PNG")[:100]) == 600


def test_an_animation_is_refused() -> None:
    file = io.BytesIO()
    frames = [Pillow.fromarray(picture(8, 8)) for _ in range(3)]
    frames[1] = Pillow.new("RGB", (8, 8))
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match="one of its frames"):
        decode(file.getvalue())


WHOLE = {kind: encoded(picture(16, 16), kind) for kind in ("PNG", "JPEG", "WEBP", "BMP")}


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_a_damaged_picture_is_a_value_error_and_nothing_else(data: st.DataObject) -> None:
    whole = bytearray(WHOLE[data.draw(st.sampled_from(sorted(WHOLE)))])
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, min(80, len(whole) - 1)))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        decode(bytes(whole))


def test_padding_keeps_the_picture_in_the_upper_left() -> None:
    image = picture(4, 6)
    padded = pad_to(image, 8, 8)
    assert np.array_equal(padded[:4, :6], image)
    assert padded[4:].max() == padded[:, 6:].max() == 0


def test_an_upright_rectangle_is_cut_out_pixel_by_pixel() -> None:
    image = picture(40, 60)
    corners = np.array([[10, 5], [30, 5], [30, 17], [10, 17]], dtype=np.float32)
    assert np.array_equal(cut_out(image, corners), image[5:17, 10:30])


def test_a_turned_rectangle_is_laid_straight() -> None:
    image = picture(40, 60)
    turned = np.rot90(image)  # what was the upper left corner is the lower left one now
    corners = np.array([[5, 50], [5, 30], [17, 30], [17, 50]], dtype=np.float32)
    assert np.array_equal(cut_out(turned, corners), image[5:17, 10:30])


def test_a_rectangle_beyond_the_edge_repeats_it() -> None:
    image = picture(10, 10)
    corners = np.array([[-4, 0], [6, 0], [6, 10], [-4, 10]], dtype=np.float32)
    cut = cut_out(image, corners)
    assert np.array_equal(cut[:, 4:], image[:, :6])
    assert (cut[:, :4] == image[:, :1]).all()
