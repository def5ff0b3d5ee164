"""The videos to measure on: one video of a face, looped to any length, size and rate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from fesnet.demo import demo_avatar
from fesnet.synth.script.config import SynthConfig
from fesnet.synth.script.writer import write_script
from fesnet.synth.videos.demo_video import RATE, demo_script, encode_script
from fesnet.video import VideoWriter, open_source

SECONDS = 10  # of the video that is looped


def first_frames(folder: Path, video: Path | None) -> tuple[list[np.ndarray], float]:
    """The first frames of a video (default: the demo's portrait), and their rate."""
    if video is None:
        video = folder / "face.mp4"
        encode_script(demo_avatar(), demo_script(), video)
    frames = []
    with open_source(video) as source:
        rate = float(source.rate or 30)
        for frame in source:
            if frame.time >= SECONDS:
                break
            frames.append(frame.image)
    return frames, rate


def talking_video(out: Path, seconds: float, size: tuple[int, int] = (640, 480)) -> Path:
    """The demo's speaker, who talks without a pause, moves the head and blinks: SECONDS of it (or
    less), looped; H.264 at RATE.
    """
    talk = SynthConfig(speech_share=1.0, speech_pause=(0.3, 0.3), sounds_share=1.0, head_scale=2.0)
    script = write_script(np.random.default_rng(31), round(min(SECONDS, seconds) * RATE), talk)
    square = out.with_name(f"square-{out.name}")
    encode_script(demo_avatar(), script, square)
    clip = first_frames(out.parent, square)
    square.unlink()
    return loop_frames(clip, out, size, RATE, seconds)


def loop_frames(
    clip: tuple[list[np.ndarray], float],
    out: Path,
    size: tuple[int, int],
    rate: int,
    seconds: float,
) -> Path:
    """H.264 of the clip forwards and backwards, at another rate and size.

    Frames are blended in time, scaled to fit and put on grey.
    """
    frames, clip_rate = clip
    shown = [fit_on_grey(f, size) for f in frames]
    order = [*shown, *shown[-2:0:-1]]
    with VideoWriter(out, Fraction(rate), *size, crf=20) as writer:
        for k in range(round(seconds * rate)):
            at = k * clip_rate / rate
            i, share = int(at), at - int(at)
            a, b = order[i % len(order)], order[(i + 1) % len(order)]
            writer.write(a if share < 0.01 else cv2.addWeighted(a, 1 - share, b, share, 0))
    return out


def fit_on_grey(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Scaled to fit, in the middle of grey."""
    width, height = size
    scale = min(width / image.shape[1], height / image.shape[0])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=method)[:height, :width]
    out = np.full((height, width, 3), 128, np.uint8)
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    out[top : top + small.shape[0], left : left + small.shape[1]] = small
    return out


def repeat_video(video: Path, times: int, out: Path) -> Path:
    """An encoded video several times, its packets copied."""
    with av.open(str(out), "w") as target:
        stream, shift = None, 0
        for _ in range(times):
            with av.open(str(video)) as source:
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
