"""One performance of one person, filmed and encoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.synth.render.frame_camera import FrameCamera, Look, draw_mouth, track
from fesnet.synth.render.frame_renderer import FrameRenderer, Scene
from fesnet.synth.render.portraits import Person
from fesnet.synth.render.scene import Framing, bottom_of, draw_framing, make_scene
from fesnet.synth.script.video_script import VideoScript
from fesnet.video import VideoWriter

EYES = [33, 133, 362, 263]  # landmarks: the corners of the eyes
TURNS = np.array(
    [0.2, 0.15, 0.2], np.float32
)  # yaw, pitch, roll (rad) that a frontal photo with its ears can bear
AVATAR_PIXELS = (
    96  # pixels of the avatar's own picture, which nobody sees: the scene stands in its place
)


@dataclass(frozen=True)
class RecordingConfig:
    """How a performance is filmed: frames a second, pixels, x264's quality, and the seed of all
    that is by chance.
    """

    fps: float
    width: int
    height: int
    crf: int
    seed: int


class SingleThreadWriter(VideoWriter):
    """Encodes with one thread, so that the bytes do not depend on the machine's cores, and with
    little effort.
    """

    def _new_stream(self, container: OutputContainer) -> VideoStream:
        stream = super()._new_stream(container)
        stream.codec_context.thread_count = 1
        if stream.codec_context.name == "libx264":
            stream.codec_context.options = {**stream.codec_context.options, "preset": "veryfast"}
        return stream


def encode_video(
    person: Person,
    performance: VideoScript,
    take: RecordingConfig,
    path: Path,
    on_frame: Callable[[int], None],
) -> None:
    """Write `path` (H.264 mp4), which appears when it is whole. Raises SourceError for photos that
    cannot be read.

    on_frame takes the number of each frame done. Frames that the performance leaves out leave a gap
    in time.
    """
    staging, looking, sensor = (
        np.random.default_rng(s) for s in np.random.SeedSequence(take.seed).spawn(3)
    )
    avatar, script, times = person.avatar(AVATAR_PIXELS), performance.script, performance.times
    neutral = person.neutral.read()
    framing = draw_framing(
        staging, take.width, take.height, bottom_of(neutral, person.neutral.landmarks)
    )
    look = Look.draw(looking, times)
    scene = look.tone(person_scene(person, neutral, framing))
    renderer = FrameRenderer(
        avatar, take.width, take.height, framing.span, draw_mouth(looking), scene
    )
    developer = FrameCamera(look, renderer.xs, renderer.ys, sensor)
    sway = draw_sway(staging, times)
    poses = TURNS * np.tanh(script.pose / TURNS)
    ticks = np.rint(times * take.fps).astype(int)
    with SingleThreadWriter(path, take.fps, take.width, take.height, crf=take.crf) as writer:
        for t in range(len(times)):
            smile, pose, view = float(script.smile[t]), poses[t], look.view[t]
            seen = renderer.seen(script.weights[t], smile, pose, sway[t])
            image = renderer.render(seen, script.gaze[t], smile, (float(view[0]), float(view[1])))
            writer.count = int(ticks[t])
            writer.write(developer.develop(image, t, pose, seen[EYES].mean(0) - view))
            on_frame(t)


def draw_sway(rng: np.random.Generator, times: FloatArray) -> FloatArray:
    """(T, 2) how the head is carried about by the body, crop units."""
    slow, fast = rng.uniform(0.002, 0.02), rng.uniform(0.001, 0.006)
    axes = [
        track(rng, times, rng.uniform(4, 10), slow) + track(rng, times, rng.uniform(0.8, 2), fast)
        for _ in "xy"
    ]
    return np.clip(np.stack(axes, 1), -0.05, 0.05)


def person_scene(person: Person, neutral: NDArray[np.uint8], framing: Framing) -> Scene:
    """The scene of the person's photo or photos."""
    scene = make_scene(framing, neutral, person.neutral.landmarks)
    if person.smiling is None:
        return scene
    return replace(
        scene, smiling=make_scene(framing, person.smiling.read(), person.smiling.landmarks).picture
    )
