"""One performance of one person, rendered and encoded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.synth.render.frame_camera import CameraSettings, FrameCamera, draw_mouth, noise_track
from fesnet.synth.render.frame_renderer import FrameRenderer, Scene
from fesnet.synth.render.picture_nuisances import PictureNuisances
from fesnet.synth.render.portraits import Person
from fesnet.synth.render.scene import ROOM, Framing, draw_framing, make_scene, photo_bottom
from fesnet.synth.script.video_script import VideoScript
from fesnet.video import VideoWriter

EYES = [33, 133, 362, 263]  # landmarks: the corners of the eyes
# Yaw, pitch, roll (rad) up to which a frontal photo may be turned.
MAX_TURN = np.array([0.2, 0.15, 0.2], np.float32)
# Pixels of the avatar's own picture, which the scene replaces.
AVATAR_PIXELS = 96
# Times a frame's sides that are rendered where it is turned afterwards.
WIDER = 1.5
CHEEKS = (0.34, 0.5), (0.66, 0.68)  # crop units, left upper and right lower corner
# Crop units of scene beyond the frame where people lean back and leave.
WIDE_ROOM = 0.8


@dataclass(frozen=True)
class RecordingConfig:
    """How a video is recorded: frames a second, pixels, x264's quality (crf), and the seed of
    light, camera and noise.
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
    video_script: VideoScript,
    recording: RecordingConfig,
    path: Path,
    on_frame: Callable[[int], None],
    nuisances: PictureNuisances | None = None,
) -> None:
    """Write `path` (H.264 mp4), which appears when it is whole. Raises SourceError for photos that
    cannot be read.

    on_frame takes the number of each frame done. Frames that the script leaves out leave a
    gap in time. nuisances: of the pictures.
    """
    framing_rng, camera_rng, noise_rng = (
        np.random.default_rng(s) for s in np.random.SeedSequence(recording.seed).spawn(3)
    )
    avatar, times = person.avatar(AVATAR_PIXELS), video_script.times
    script = video_script.script
    neutral = person.neutral.read()
    framing = draw_framing(
        framing_rng,
        recording.width,
        recording.height,
        photo_bottom(neutral, person.neutral.landmarks),
    )
    settings = CameraSettings.draw(camera_rng, times)
    if nuisances is not None:
        settings = nuisances.dim(settings)
    room = ROOM if nuisances is None else WIDE_ROOM
    scene = settings.tone_scene(person_scene(person, neutral, framing, room))
    renderer = FrameRenderer(
        avatar, recording.width, recording.height, framing.span, draw_mouth(camera_rng), scene
    )
    camera = FrameCamera(settings, renderer.xs, renderer.ys, noise_rng)
    sway = draw_sway(framing_rng, times)
    view_of = FrameView(renderer, framing, nuisances)
    poses = MAX_TURN * np.tanh(script.pose / MAX_TURN)
    ticks = np.rint(times * recording.fps).astype(int)
    with SingleThreadWriter(
        path, recording.fps, recording.width, recording.height, crf=recording.crf
    ) as writer:
        for t in range(len(times)):
            smile, pose, view = float(script.smile[t]), poses[t], settings.view[t]
            seen = renderer.project(script.weights[t], smile, pose, sway[t])
            image, eyes = view_of.render(t, seen, script.gaze[t], smile, view)
            writer.count = int(ticks[t])
            writer.write(camera.simulate(image, t, pose, eyes))
            on_frame(t)


class FrameView:
    """Renders frames as the camera sees them, with what nuisances do to them."""

    def __init__(
        self, renderer: FrameRenderer, framing: Framing, nuisances: PictureNuisances | None
    ) -> None:
        self.renderer, self.framing, self.nuisances = renderer, framing, nuisances
        self.patches = [] if nuisances is None else nuisances.patches(cheek_colour(renderer.scene))
        self.wide: FrameRenderer | None = None
        if nuisances is not None and nuisances.path.roll.any():
            self.wide = widen_renderer(renderer, framing)

    def render(
        self, t: int, seen: FloatArray, gaze: FloatArray, smile: float, view: FloatArray
    ) -> tuple[NDArray[np.uint8], FloatArray]:
        """Frame t (H, W, 3), and the middle between the eyes (2,) in the frame's crop units. seen
        (V, 2): points before the camera; view (2,): where it looks, crop units.
        """
        eyes = seen[EYES].mean(0)
        if self.nuisances is None:
            aside = (float(view[0]), float(view[1]))
            return self.renderer.render(seen, gaze, smile, aside), eyes - view
        framing, path = self.framing, self.nuisances.path
        zoom = float(path.zoom[t])
        look = view + path.shift(t, framing.span)
        wide = self.wide if path.roll[t] else None
        aside = (float(look[0]), float(look[1]))
        image = (wide or self.renderer).render(seen, gaze, smile, aside, zoom)
        unit = framing.unit * zoom
        middle = np.array([framing.x, framing.y]) + 0.5 * framing.unit
        carried = seen[:468].mean(0) - self.renderer.avatar.points[:468, :2].mean(0)
        origin = middle - unit * (0.5 + look)
        to_frame = np.array([[unit, 0, origin[0]], [0, unit, origin[1]]])
        to_frame[:, 2] += unit * carried
        size = (framing.width, framing.height)
        image, to_frame = self.nuisances.change(image, t, size, to_frame, self.patches)
        pixels = to_frame[:, :2] @ (eyes - carried) + to_frame[:, 2]
        where = (pixels - np.array([framing.x, framing.y])) / framing.unit
        return image, np.asarray(where, np.float32)


def widen_renderer(renderer: FrameRenderer, framing: Framing) -> FrameRenderer:
    """The same with WIDER times the frame on each side, for pictures that are turned afterwards."""
    more = np.array([framing.width, framing.height]) // 2 * (WIDER - 1)
    width, height = framing.width + 2 * int(more[0]), framing.height + 2 * int(more[1])
    place = Framing(width, height, framing.unit, framing.x + int(more[0]), framing.y + int(more[1]))
    return FrameRenderer(renderer.avatar, width, height, place.span, renderer.mouth, renderer.scene)


def cheek_colour(scene: Scene) -> FloatArray:
    """(3,) the colour 0..255 of the skin round nose and cheeks."""
    (x0, y0), (x1, y1) = (
        np.maximum(scene.place(np.array(corner, np.float32)).astype(int), 0) for corner in CHEEKS
    )
    return np.asarray(np.median(scene.picture[y0:y1, x0:x1], (0, 1)), np.float32)


def draw_sway(rng: np.random.Generator, times: FloatArray) -> FloatArray:
    """(T, 2) how the head is carried about by the body, crop units."""
    slow, fast = rng.uniform(0.002, 0.02), rng.uniform(0.001, 0.006)
    axes = [
        noise_track(rng, times, rng.uniform(4, 10), slow)
        + noise_track(rng, times, rng.uniform(0.8, 2), fast)
        for _ in "xy"
    ]
    return np.clip(np.stack(axes, 1), -0.05, 0.05)


def person_scene(
    person: Person, neutral: NDArray[np.uint8], framing: Framing, room: float = ROOM
) -> Scene:
    """The scene of the person's photo or photos, `room` crop units wider than the frame."""
    scene = make_scene(framing, neutral, person.neutral.landmarks, room)
    if person.smiling is None:
        return scene
    smiling = make_scene(framing, person.smiling.read(), person.smiling.landmarks, room)
    return replace(scene, smiling=smiling.picture)
