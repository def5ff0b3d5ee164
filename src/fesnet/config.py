"""Sizes and switches of the network (`FesNetConfig`), and its presets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from fesnet._validation import check_types
from fesnet.errors import CheckpointError, UsageError

# Field -> key in the JSON of weights and results, where they differ. The keys never changed: files
# of all versions load, and equal configs give equal files.
STORED_KEYS = {
    "inference_window_scale": "reach",
    "concat_reference": "reference_beside",
    "landmark_feature_count": "shape",
    "landmark_embedding": "shape_features",
    "add_median_difference": "centred",
    "normalize_motion": "relative",
    "ensemble_weights": "consensus",
}
FIELD_OF = {key: name for name, key in STORED_KEYS.items()}
# younger than schema 1: equal configs, equal files
WRITTEN_IF_SET = ("alternate_directions", "backward_stretch")
AT_LEAST_ONE = (
    *("crop_size", "width", "heads", "features", "window", "inference_window_scale"),
    *("hidden", "stages", "blocks"),
)


@dataclass(frozen=True)
class FesNetConfig:
    """Every size and switch of the network. Sizes are our choice; switches name the paper's
    mechanisms.
    """

    crop_size: int = 96  # pixels; 12 x 12 positions after three halvings
    width: int = 16  # channels of the first residual block; doubled at each halving
    heads: int = 4  # attention heads over the positions of one frame
    features: int = 128  # D, features a frame carries into MTAM
    window: int = 128  # T, frames at the working rate: 4.3 s, the longest usual macro-expression
    # frames between the starts of overlapping windows; bundled weights have their own config.json
    stride: int = 32
    # extension: windows and strides of spotting are this many times as long as those of training
    inference_window_scale: int = 1
    # extension: spotting's strides are half a window, and windows inside a video are judged
    # forwards and backwards in turn instead of both ways (docs/adr/0135-directions-in-turn.md)
    alternate_directions: bool = False
    # extension: backwards a window is shown so many times as long, 1 to 2
    # (docs/adr/0141-backwards-slower.md)
    backward_stretch: float = 1.0
    working_rate: float = 30.0  # Hz
    hidden: int = 64  # channels inside MTAM
    stages: int = 3  # cascade stages after the proposal
    blocks: int = 3  # multi-scale blocks in a stage
    branches: tuple[tuple[int, int], ...] = ((3, 1), (5, 1), (7, 2), (7, 4))  # kernel, dilation
    dropout: float = 0.1  # inside MTAM, in training only
    attention: bool = True  # paper: on
    discrepancy: bool = (
        True  # paper: on; off: the frame itself instead of its difference to the reference
    )
    cascade: bool = True  # paper: on; off: one stage after the proposal
    multi_scale: bool = True  # paper: on; off: one kernel of 3 instead of the parallel branches
    reference: str = (
        "first"  # paper: "first" frame of the window; "neutral": found by a first pass (extension)
    )
    # extension: the reference's own features are concatenated to the difference
    concat_reference: bool = False
    intensity: bool = (
        False  # extension: a second output, the strength of the expression (for the apex)
    )
    motions: int = 0  # extension: outputs of the auxiliary motion head that pairs of frames train
    # extension: numbers of `fesnet.faces.landmark_features` beside the pixels; 0: pixels alone
    landmark_feature_count: int = 0
    # features that the change of landmarks adds to a frame's, where there are landmark features
    landmark_embedding: int = 64
    face_only: bool = (
        False  # extension: what lies outside the outline of the face's landmarks is black
    )
    # extension: adds the difference to the window's median frame
    add_median_difference: bool = False
    # extension: adds that difference in units of each feature's mean change in the window
    normalize_motion: bool = False
    # extension: weights of pixels alone and landmarks alone in the log-opinion pool; the rest is
    # that of both together
    ensemble_weights: tuple[float, float] = (0.0, 0.0)
    # extension: numbers of pre-extracted features a frame, projected in LSDM's place; 0: pixels
    inputs: int = 0
    independent: bool = (
        False  # extension: each kind scored by itself, so that a micro may lie in a macro
    )

    def __post_init__(self) -> None:
        check_types(self)
        for what, holds in (*self._bounds(), *self._sizes(), *self._extensions()):
            if not holds:
                raise UsageError(f"expected {what}")

    def _bounds(self) -> list[tuple[str, bool]]:
        """What single fields must be, and whether they are."""
        least = dict.fromkeys(("motions", "landmark_feature_count", "landmark_embedding"), 0)
        least |= {"inputs": 0} | dict.fromkeys(AT_LEAST_ONE, 1)
        return [
            (
                f"reference 'first' or 'neutral', got {self.reference!r}",
                self.reference in ("first", "neutral"),
            ),
            *(
                (f"{n} of {k} or more, got {getattr(self, n)}", getattr(self, n) >= k)
                for n, k in least.items()
            ),
            (
                f"a working rate above 0 and up to 1000 Hz, got {self.working_rate}",
                0 < self.working_rate <= 1000,
            ),
            (
                f"a dropout of 0 or more and below 1, got {self.dropout}",
                0 <= self.dropout < 1,
            ),
            (
                f"a backward stretch of 1 to 2, got {self.backward_stretch}",
                1 <= self.backward_stretch <= 2,
            ),
            (f"a crop size divisible by 8, got {self.crop_size}", self.crop_size % 8 == 0),
        ]

    def _sizes(self) -> list[tuple[str, bool]]:
        """Which sizes must divide which, and whether they do."""
        channels = 4 * self.width
        return [
            (
                "hidden to divide by the number of branches",
                bool(self.branches) and self.hidden % len(self.branches) == 0,
            ),
            (
                f"branches (kernel, dilation) of 1 or more, kernels odd, got {self.branches}",
                all(min(kernel, dilation) > 0 and kernel % 2 for kernel, dilation in self.branches),
            ),
            ("4 * width to divide by heads", channels % max(1, self.heads) == 0),
            (
                f"landmark_feature_count to divide by 4 * width ({channels}), got "
                f"{self.landmark_feature_count}",
                self.landmark_feature_count % max(1, channels) == 0,
            ),
            (
                f"a stride of 1 to {self.window} frames (the window), got {self.stride}",
                0 < self.stride <= self.window,
            ),
        ]

    def _extensions(self) -> list[tuple[str, bool]]:
        """Which extensions need others, and whether they have them."""
        ensemble = any(self.ensemble_weights)
        return [
            (
                "add_median_difference with normalize_motion, which scales that difference",
                self.add_median_difference or not self.normalize_motion,
            ),
            (
                "two ensemble_weights, 0 or more and together below 1, got "
                f"{self.ensemble_weights}",
                min(self.ensemble_weights) >= 0 and sum(self.ensemble_weights) < 1,
            ),
            (
                "landmark features, and kinds that exclude each other, for ensemble_weights",
                not ensemble or (self.landmark_feature_count > 0 and not self.independent),
            ),
        ]

    @property
    def frame_features(self) -> int:
        """D, what LSDM gives of each frame: features of the pixels, then those of the landmarks."""
        return self.features + (self.landmark_embedding if self.landmark_feature_count else 0)

    @property
    def scored_features(self) -> int:
        """What proposals and MTAM get of each frame: D, and D more for each of
        `add_median_difference` and `normalize_motion`.
        """
        return self.frame_features * (1 + self.add_median_difference + self.normalize_motion)

    @property
    def inference_window(self) -> tuple[int, int]:
        """Window and stride of spotting, in frames at the working rate."""
        window = self.inference_window_scale * self.window
        stride = self.inference_window_scale * self.stride
        return window, max(1, window // 2) if self.alternate_directions else stride

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FesNetConfig:
        """From a stored config, or one with today's names. Raises CheckpointError for keys that
        this version does not know.
        """
        known = {FIELD_OF.get(key, key): value for key, value in values.items()}
        unknown = set(known) - {f.name for f in fields(cls)}
        twice = {key for key in values if key in FIELD_OF and FIELD_OF[key] in values}
        if unknown or twice:
            raise CheckpointError(
                "expected only config keys that this version knows, got "
                f"{', '.join(sorted(unknown | twice))}; "
                "use the version of fesnet that wrote the checkpoint"
            )
        try:
            if "branches" in known:
                known["branches"] = tuple((k, d) for k, d in known["branches"])
            if "ensemble_weights" in known:
                known["ensemble_weights"] = tuple(known["ensemble_weights"])
            return cls(**known)
        except (TypeError, ValueError, OverflowError, UsageError) as error:
            raise CheckpointError(
                f"expected a network config, got values that do not fit ({error})"
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """With the keys that weights and results have held since schema 1 (`STORED_KEYS`)."""
        values = {STORED_KEYS.get(name, name): value for name, value in asdict(self).items()}
        defaults = {f.name: f.default for f in fields(self) if f.name in WRITTEN_IF_SET}
        return {k: v for k, v in values.items() if k not in defaults or v != defaults[k]}


PRESETS = {
    "paper": FesNetConfig(),
    "default": FesNetConfig(
        window=320,
        stride=80,
        inference_window_scale=2,
        alternate_directions=True,
        backward_stretch=1.2,
        concat_reference=True,
        intensity=True,
        motions=60,
        landmark_feature_count=128,
        face_only=True,
        add_median_difference=True,
        normalize_motion=True,
        ensemble_weights=(0.6, 0.2),
    ),
}
