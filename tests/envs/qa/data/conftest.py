"""Pictures, sounds and videos of our own, and files in the layouts of well-known data sets."""

import io
import json
import wave

import numpy as np
import pytest
from PIL import Image


def png(seed, size=(24, 16), mode="RGB", **save):
    """A picture of noise that no other seed has, as PNG bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, **({"format": "PNG"} | save))
    return buffer.getvalue()


def hub_png(seed, **more):
    """The same as hubs store pictures in parquet."""
    return {"bytes": png(seed, **more), "path": None}


def wav(seconds=0.1, rate=8000, width=2, channels=1):
    buffer = io.BytesIO()
    count = int(seconds * rate)
    tone = np.sin(np.arange(count) * 0.3)
    if width == 1:
        raw = np.round(tone * 100 + 128).astype(np.uint8)[:, None]
    else:
        whole = np.round(tone * (2 ** (8 * width - 1) - 1)).astype("<i8")
        raw = whole[:, None].view(np.uint8).reshape(count, 8)[:, :width]
    with wave.open(buffer, "wb") as sound:
        sound.setparams((channels, width, rate, count, "NONE", ""))
        sound.writeframes(np.repeat(raw[:, None], channels, 1).tobytes())
    return buffer.getvalue()


def write_video(path, colours, fps=5, each=5, size=(32, 32)):
    """A video that shows each grey level for `each` frames."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for colour in colours:
            for _ in range(each):
                frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), colour, np.uint8), format="rgb24")
                container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_parquet(path, rows, group=100):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=group)
    return str(path)


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)
