"""The videos that are measured: one film of a face, looped to any length, size and rate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from fesnet.demo import demo_avatar
from fesnet.synth.videos.demo_video import demo_script, encode_script
from fesnet.video import VideoWriter, open_source

SECONDS = 10  # of the film that is looped


def seconds_of_film(folder: Path, video: Path | None) -> tuple[list[np.ndarray], float]:
    """The first frames of a video (default: the demo's portrait), and their rate."""
    if video is None:
        video = folder / "film.mp4"
        encode_script(demo_avatar(), demo_script(), video)
    frames = []
    with open_source(video) as source:
        rate = float(source.rate or 30)
        for frame in source:
            if frame.time >= SECONDS:
                break
            frames.append(frame.image)
    return frames, rate


def looped(
    film: tuple[list[np.ndarray], float],
    out: Path,
    size: tuple[int, int],
    rate: int,
    seconds: float,
) -> Path:
    """The film forwards and backwards, blended to another rate, scaled to fit and put on grey;
    H.264.
    """
    frames, given = film
    shown = [fitted(f, size) for f in frames]
    order = [*shown, *shown[-2:0:-1]]
    with VideoWriter(out, Fraction(rate), *size, crf=20) as writer:
        for k in range(round(seconds * rate)):
            at = k * given / rate
            i, share = int(at), at - int(at)
            a, b = order[i % len(order)], order[(i + 1) % len(order)]
            writer.write(a if share < 0.01 else cv2.addWeighted(a, 1 - share, b, share, 0))
    return out


def fitted(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scaled to fit and put in the middle of grey."""
    width, height = size
    scale = min(width / image.shape[1], height / image.shape[0])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=way)[:height, :width]
    out = np.full((height, width, 3), 128, np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    out[top : top + small.shape[0], left : left + small.shape[1]] = small
    return out


def repeated(piece: Path, times: int, out: Path) -> Path:
    """An encoded piece again and again, its packets copied."""
    with av.open(str(out), "w") as target:
        stream, shift = None, 0
        for _ in range(times):
            with av.open(str(piece)) as source:
                given = source.streams.video[0]
                if stream is None:
                    stream = target.add_stream_from_template(given)
                end = 0
                for packet in source.demux(given):
                    if packet.dts is None or packet.pts is None:
                        continue
                    end = max(end, packet.pts + (packet.duration or 1))
                    packet.pts, packet.dts, packet.stream = (
                        packet.pts + shift,
                        packet.dts + shift,
                        stream,
                    )
                    target.mux(packet)
                shift += end
    return out
