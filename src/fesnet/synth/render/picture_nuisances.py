"""What the nuisances of one video do to its pictures, drawn before any picture is made.

All numbers are our choice.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fesnet._types import FloatArray
from fesnet.synth.render.cover_shapes import CoverPatch
from fesnet.synth.render.covers import Cover, draw_cover, lay_cover
from fesnet.synth.render.frame_camera import CameraSettings
from fesnet.synth.render.view_path import ViewPath, draw_view_path, roll_frame, roll_matrix
from fesnet.synth.script.curves import log_uniform
from fesnet.synth.script.nuisances import COVER_NUISANCES, LOW_LIGHT, Episode

NECK = np.array([0.5, 1.05], np.float32)  # crop units: round it a head rolls
LIGHT_LEFT = (0.1, 0.45)  # share of the light
DARK_GRAIN = (1.5, 5.0)  # grey levels of noise in the dark


@dataclass(frozen=True)
class PictureNuisances:
    """Where the face stands, what comes before it, and the light. light: share of it that is left;
    grain: noise of a dark picture, grey levels (0: as it would be). episodes: when all this is so.
    """

    path: ViewPath
    covers: tuple[Cover, ...]
    light: float
    grain: float
    episodes: tuple[Episode, ...]

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        names: Collection[str],
        times: FloatArray,
        busy: Collection[tuple[float, float]] = (),
    ) -> PictureNuisances:
        """For frames at `times` (T,) in s; busy: spans of expressions, s."""
        path, episodes = draw_view_path(rng, names, times, busy)
        covers = []
        for name in COVER_NUISANCES:
            if name in names:
                cover, when = draw_cover(rng, name, times, busy)
                covers.append(cover)
                episodes += when
        light, grain = 1.0, 0.0
        if LOW_LIGHT in names:
            light, grain = log_uniform(rng, *LIGHT_LEFT), log_uniform(rng, *DARK_GRAIN)
            if rng.random() < 0.4:  # a camera that makes up for it, noise and all
                made_up = rng.uniform(1.0, 0.5 / light) if light < 0.5 else 1.0
                light, grain = light * made_up, min(14.0, grain * made_up**0.5)
            episodes.append(Episode(LOW_LIGHT, 0.0, float(times[-1])))
        return cls(path, tuple(covers), light, grain, tuple(episodes))

    def dim(self, settings: CameraSettings) -> CameraSettings:
        """The look of a video with what is left of the light."""
        if self.light == 1 and not self.grain:
            return settings
        exposure = np.asarray(settings.exposure * self.light, np.float32)
        return replace(settings, exposure=exposure, grain=max(settings.grain, self.grain))

    def patches(self, skin: FloatArray) -> list[CoverPatch]:
        """The pictures of `covers` before a face of this colour (3,)."""
        return [cover.patch(skin) for cover in self.covers]

    def change(
        self,
        image: NDArray[np.uint8],
        t: int,
        size: tuple[int, int],
        to_frame: NDArray[np.float64],
        patches: list[CoverPatch],
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """Frame t of a size (width, height) rolled and covered, and where crop units lie in it now
        (2, 3).

        image (H, W, 3): the frame, or with as much more on both sides if it is to be rolled.
        to_frame: where crop units lie in the frame as it is, in pixels.
        """
        if self.path.roll[t]:
            neck = to_frame[:, :2] @ NECK + to_frame[:, 2]
            turn = roll_matrix(float(self.path.roll[t]), neck)
            image = roll_frame(image, turn, size)
            to_frame = turn @ np.vstack([to_frame, [0, 0, 1]])
        for cover, patch in zip(self.covers, patches, strict=True):
            image = lay_cover(image, cover, patch, t, to_frame)
        return image, to_frame
