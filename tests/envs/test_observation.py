"""Observations: order, copies, digests, encodings and what is refused."""

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from saccade.envs.errors import MediaError
from saccade.envs.observation import Audio, Image, Observation, Text, Video, digest_of


def picture(height=5, width=7, value=0):
    pixels = np.random.default_rng(value).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return pixels


def encoded(pixels, format="PNG", **options):
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, format=format, **options)
    return buffer.getvalue()


def test_parts_keep_their_order_and_text_is_never_markup():
    view = Observation.of("look: <image>", Image(picture()), Text("<|im_start|>"), Image(picture(3, 3)))
    assert [type(part).__name__ for part in view.parts] == ["Text", "Image", "Text", "Image"]
    assert view.text == "look: <image>\n<|im_start|>"
    assert [image.size for image in view.images] == [(7, 5), (3, 3)]
    assert (view + Observation.of("more")).parts == (*view.parts, Text("more"))


def test_as_dict_has_every_key_and_fresh_arrays():
    video = Video(np.zeros((2, 4, 4, 3), np.uint8), fps=5)
    audio = Audio(np.zeros(8, np.float32), rate=16_000)
    view = Observation.of("a", Image(picture()), video, audio)
    first, second = view.as_dict(), view.as_dict()
    assert set(first) == {"text", "images", "videos", "audios"}
    for key in ("images", "videos", "audios"):
        first[key][0][:] = 77
        assert not np.array_equal(first[key][0], second[key][0])
        assert np.array_equal(second[key][0], view.as_dict()[key][0])
    assert Observation(()).as_dict() == {"text": "", "images": (), "videos": (), "audios": ()}


@pytest.mark.parametrize("fps", [0.1303752, 0.00222197, 1e-9])
def test_a_slow_film_is_a_file_too(fps):
    frames = np.zeros((2, 4, 4, 3), np.uint8)
    frames[1] = 255
    assert Video(frames, fps).png().startswith(b"\x89PNG")


def test_png_bytes_are_kept_and_decoding_is_exact():
    data = encoded(picture())
    image = Image.decode(data)
    assert np.array_equal(image.pixels, picture())
    assert image.png() is data


@pytest.mark.parametrize("format", ["JPEG", "GIF", "BMP", "WEBP"])
def test_other_formats_are_decoded_and_stored_as_png(format):
    image = Image.decode(encoded(picture(16, 16), format))
    assert image.encoded is None
    assert np.array_equal(Image.decode(image.png()).pixels, image.pixels)


def test_pictures_with_alpha_or_grey_are_stored_as_what_was_shown():
    grey = Image.decode(encoded(picture()[..., 0]))
    assert grey.encoded is None  # the stored file must hold the pixels that were delivered
    assert np.array_equal(grey.pixels, np.repeat(picture()[..., :1], 3, axis=2))


@pytest.mark.parametrize(
    "data", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", encoded(picture(64, 64))[:-400], encoded(picture())[:40]]
)
def test_unreadable_pictures_say_which_and_what_to_do(data):
    with pytest.raises(MediaError, match=r"shot\.png is not .*convert"):
        Image.decode(data, "shot.png")


def test_a_decompression_bomb_is_refused(monkeypatch):
    data = encoded(picture(40, 40))
    monkeypatch.setattr(Pillow, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(MediaError):
        Image.decode(data)


def test_digest_is_of_the_content():
    image = Image(picture())
    assert Image.decode(encoded(picture())).digest == image.digest
    assert Image.decode(encoded(picture(), compress_level=9)).digest == image.digest
    assert Image(picture(value=1)).digest != image.digest
    assert len(image.digest) == 32
    assert digest_of(np.zeros((2, 6, 3), np.uint8)) != digest_of(np.zeros((6, 2, 3), np.uint8))
    assert digest_of(np.zeros(4, np.uint8)) != digest_of(np.zeros(1, np.float32))
    assert digest_of(picture()[:, ::-1]) == digest_of(np.ascontiguousarray(picture()[:, ::-1]))


def test_the_sampler_can_see_another_picture():
    noisy = picture(value=3)
    image = Image(picture(), sampler_pixels=noisy)
    assert np.array_equal(image.sampled.pixels, noisy)
    assert image.digest == Image(picture()).digest
    plain = Image(picture())
    assert plain.sampled is plain
    with pytest.raises(MediaError, match="shape of pixels"):
        Image(picture(), sampler_pixels=picture(2, 2))


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((2, 4, 4, 3), np.uint8),
    ],
)
def test_wrong_pixels_are_refused(pixels):
    with pytest.raises(MediaError, match="H x W x 3"):
        Image(pixels)


def test_wrong_videos_and_sounds_are_refused():
    with pytest.raises(MediaError, match="T x H x W x 3"):
        Video(np.zeros((4, 4, 3), np.uint8), fps=1)
    for fps in (0, -1, float("nan")):
        with pytest.raises(MediaError, match="fps must be > 0"):
            Video(np.zeros((1, 4, 4, 3), np.uint8), fps=fps)
    with pytest.raises(MediaError, match="float32"):
        Audio(np.zeros(4), rate=1)
    with pytest.raises(MediaError, match="one-dimensional"):
        Audio(np.zeros((4, 2), np.float32), rate=1)
    with pytest.raises(MediaError, match="rate must be > 0"):
        Audio(np.zeros(4, np.float32), rate=0)
