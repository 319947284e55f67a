"""Files of every kind give the same rows; names and pictures in them are not trusted."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from saccade.envs.errors import ConfigError, MediaError, WorldFailure
from saccade.envs.qa.data.dataset import Dataset
from saccade.envs.qa.data.media import load_picture, load_sound
from saccade.envs.qa.data.paths import below
from saccade.envs.qa.data.sources import JsonLines, Parquet, open_source

from .conftest import hub_png, png, wav, write_lines, write_parquet

ROWS = [{"question": f"Number {index}?", "answer": str(index), "image": f"{index}.png"} for index in range(7)]


def test_lines_blank_lines_and_a_last_line_without_an_end(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"a": 1}\r\n\n\r\n{"a": "\xc3\xa4\\n"}\n{"a": 3}')
    source = JsonLines(file)
    assert len(source) == 3 and [source.row(index)["a"] for index in range(3)] == [1, "ä\n", 3]


def test_row_groups_files_and_columns(tmp_path):
    rows = [{"question": str(index), "unused": "x" * 100} for index in range(25)]
    write_parquet(tmp_path / "a-0.parquet", rows[:12], group=5)
    write_parquet(tmp_path / "a-1.parquet", rows[12:], group=4)
    source = open_source(str(tmp_path / "a-*.parquet"), uses=["question"])
    assert len(source) == 25
    for index in np.random.default_rng(0).permutation(25):
        assert source.row(int(index)) == {"question": str(index)}
    assert len(open_source(str(tmp_path))) == 25


def test_folder_of_classes(tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for index in range(2):
            (tmp_path / label / f"{index}.png").write_bytes(png(index))
    (tmp_path / "dog" / "notes.txt").write_text("no picture")
    dataset = Dataset(str(tmp_path), "imagefolder")
    assert [dataset.load(row).item.golds for row in range(4)] == [("cat",), ("cat",), ("dog",), ("dog",)]


def test_folder_with_metadata(tmp_path):
    (tmp_path / "0.png").write_bytes(png(0))
    write_lines(tmp_path / "metadata.jsonl", [{"file_name": "0.png", "text": "noise"}])
    schema = {"question": "What is it?{text}", "answer": "text", "image": "file_name"}
    assert Dataset(str(tmp_path), schema).load(0).observation.images[0].size == (24, 16)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.jsonl", b"", "holds no row"),
        ("a.jsonl", b"[1, 2]\n", "one JSON object a line"),
        ("a.jsonl", b"nonsense\n", "one JSON object a line"),
        ("a.json", b"{}", "list of objects"),
        ("a.json", b"[" * 100_000, "no JSON"),
        ("a.parquet", b"PAR1nonsensePAR1", "no readable parquet"),
        ("a.csv", b"a,b", "must be .jsonl, .json, .parquet or a folder"),
    ],
)
def test_files_that_are_not_what_they_say(tmp_path, name, content, match):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=match):
        open_source(str(tmp_path / name))


def test_nothing_there(tmp_path):
    with pytest.raises(ConfigError, match="there is no"):
        open_source(str(tmp_path / "none.jsonl"))
    with pytest.raises(ConfigError, match="no file matches"):
        open_source(str(tmp_path / "*.parquet"))
    with pytest.raises(ConfigError, match="one folder of pictures for each class"):
        open_source(str(tmp_path))


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/hostname", "link", "a/../../secret", "http://x/y.png", "a\0b", "folder", "", "loop"]
)
def test_paths_stay_below_the_data(tmp_path, name):
    root = tmp_path / "data"
    (root / "folder").mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "loop").symlink_to(root / "loop")
    with pytest.raises(MediaError):
        below(root, name)


def test_links_within_the_data_are_followed_and_devices_are_no_files(tmp_path):
    (tmp_path / "a.png").write_bytes(b"a")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    assert below(tmp_path, "b.png").read_bytes() == b"a"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MediaError, match="no file"):
        below(tmp_path, "pipe")


def test_a_row_that_leads_out_is_a_failure_of_the_world(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "0.png").write_bytes(png(0))
    file = write_lines(tmp_path / "data" / "a.jsonl", [{"question": "?", "answer": "a", "image": "../0.png"}])
    with pytest.raises(WorldFailure, match=r"row 0 of .* leads out of it"):
        Dataset(file).load(0)
    assert len(list(Dataset(file).problems())) == 1


def _png_that_says(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("size", [(9000, 9000), (12000, 9000), (60000, 60000), (2**31 - 1, 2**31 - 1)])
def test_a_picture_that_says_it_is_huge_is_not_decoded(size):
    with pytest.raises(MediaError):
        load_picture(_png_that_says(*size), 10_000)


@pytest.mark.parametrize(
    "data", [b"", b"text", png(0)[:200], b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg/>", png(0)[:40] + b"\0" * 99]
)
def test_what_is_no_picture(data):
    with pytest.raises(MediaError, match="picture"):
        load_picture(data, 10_000)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_pictures_raise_nothing_else(data):
    format = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"]))
    whole = bytearray(png(1, format=format))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        image, *_ = load_picture(bytes(whole), 10_000)
    except MediaError:
        return
    assert image.pixels.shape[-1] == 3


def test_large_pictures_are_made_smaller_and_small_ones_are_kept():
    data = png(0, size=(200, 100))
    image, wider, higher = load_picture(data, 5_000)
    assert image.size == (100, 50) and (wider, higher) == (0.5, 0.5) and image.encoded is None
    image, wider, higher = load_picture(data, 20_000)
    assert image.encoded == data and (wider, higher) == (1.0, 1.0)
    long, *_ = load_picture(png(0, size=(2000, 2)), 100)
    assert long.size == (100, 1)


def _encode(picture, **save):
    buffer = io.BytesIO()
    picture.save(buffer, **save)
    return buffer.getvalue()


def test_transparency_is_white_and_sixteen_bits_are_eight():
    glass = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert (load_picture(_encode(glass, format="PNG"), 100)[0].pixels == 255).all()
    grey = Image.fromarray(np.full((4, 4), 0x8001, np.uint16))
    assert (load_picture(_encode(grey, format="PNG"), 100)[0].pixels == 0x80).all()


def test_cameras_that_were_held_sideways():
    exif = Image.Exif()
    exif[0x0112] = 6
    image, *_ = load_picture(_encode(Image.new("RGB", (8, 4)), format="JPEG", exif=exif), 100)
    assert image.size == (4, 8)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_sounds_of_every_width(width):
    sound = load_sound(wav(0.1, width=width, channels=2))
    assert sound.samples.shape == (800,) and sound.samples.dtype == np.float32
    expected = np.sin(np.arange(800) * 0.3) * (100 / 128 if width == 1 else 1)
    assert np.abs(sound.samples - expected).max() < 0.01


@pytest.mark.parametrize("data", [b"", b"RIFF", wav()[:30], wav().replace(b"WAVE", b"EVAW")])
def test_what_is_no_sound(data):
    with pytest.raises(MediaError, match="WAV"):
        load_sound(data)


def test_one_row_group_is_kept_at_least_and_large_ones_are_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr("saccade.envs.qa.data.sources.CACHE", 10)
    rows = [{"question": str(index), "image": hub_png(index)} for index in range(6)]
    source = Parquet([tmp_path / "a.parquet"]) if write_parquet(tmp_path / "a.parquet", rows, group=2) else None
    assert [source.row(index)["question"] for index in (5, 0, 1, 3)] == ["5", "0", "1", "3"]
    assert len(source._cache) == 1
