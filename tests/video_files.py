"""Makes the small video files that tests read: every kind that users have, and broken ones."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]


def pictures(count: int, width: int = 64, height: int = 48, shift: int = 0) -> list[Image]:
    """Smooth colour ramps that move: every frame differs from every other, and codecs keep them
    well.
    """
    y, x = np.mgrid[:height, :width]
    moved = [i + shift for i in range(count)]
    ramps = [np.stack([2 * x + 3 * i, 3 * y + 2 * i, x + y + 5 * i], axis=-1) for i in moved]
    return [(np.abs(ramp % 510 - 255)).astype(np.uint8) for ramp in ramps]


def write_video(
    path: Path,
    images: Sequence[Image],
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[int] | None = None,
    unit: Fraction = Fraction(1, 25),
    turn: tuple[int, bool, bool] | None = None,
    **options: str,
) -> Path:
    """Encode images at `times` (in `unit` s; default: one apart); `options` go to the muxer, but g
    and bf.
    """
    private = {key: options.pop(key) for key in ("g", "bf") if key in options}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=25, options=private)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = unit
        if turn is not None:
            stream.set_display_rotation(turn[0], hflip=turn[1], vflip=turn[2])
        for place, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = place if times is None else times[place]
            frame.time_base = unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_sound(path: Path, cover: Image | None = None) -> Path:
    """Half a second of silence, with a cover picture if given."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=16000)
        picture = None
        if cover is not None:
            picture = container.add_stream("mjpeg", rate=1)
            picture.height, picture.width = cover.shape[:2]
            picture.pix_fmt = "yuvj420p"
            picture.disposition = av.stream.Disposition.attached_pic
            container.mux(picture.encode(av.VideoFrame.from_ndarray(cover, format="rgb24")))
            container.mux(picture.encode(None))
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 8000), np.int16), format="s16", layout="mono"
        )
        frame.sample_rate = 16000
        container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


def spoil(path: Path) -> Path:
    """Overwrite a twentieth of a file, from its middle on, with noise."""
    data = bytearray(path.read_bytes())
    start, size = len(data) // 2, len(data) // 20
    data[start : start + size] = np.random.default_rng(3).bytes(size)
    path.write_bytes(data)
    return path


def spoil_pngs(path: Path, places: Sequence[int]) -> Path:
    """Make the PNG pictures at `places` of a file undecodable, and nothing else."""
    start = b"\x89PNG"
    head, *rest = path.read_bytes().split(start)
    parts = [(bytes(4) if i in places else start) + part for i, part in enumerate(rest)]
    path.write_bytes(head + b"".join(parts))
    return path


def cut(path: Path, part: float) -> Path:
    """Keep only the first `part` (0..1) of a file's bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    return path
