"""Training batches: groups of frames of one face with dense truth (pairs), and labelled clips."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fesnet._types import FloatArray
from fesnet.synth.render.avatar_renderer import AvatarGeometry, AvatarRenderer, AvatarTracks
from fesnet.synth.render.hands import draw_hand
from fesnet.synth.render.landmark_errors import mirror_landmark_features, simulate_landmark_features
from fesnet.synth.render.render_plan import (
    RenderPlan,
    plan_render,
    render_crops,
    render_with_landmarks,
)
from fesnet.synth.render.torch_face_mesh import landmark_model
from fesnet.synth.script.basis import motion_basis
from fesnet.synth.script.config import SynthConfig, vary_event_rates
from fesnet.synth.script.curves import log_uniform
from fesnet.synth.script.expressions import EXPRESSIONS, ONE_SIDED_SHARE, SPEECH_MOTIONS
from fesnet.synth.script.script import replace_photo_smile
from fesnet.synth.script.writer import write_script
from fesnet.windows import reflect_indices

POSE_UNIT, GAZE_UNIT = (
    0.1,
    1.0,
)  # radians, and shares of full gaze, that weigh like 4 pixels of motion in a 96 px crop
TARGETS = 60  # 55 facial motions, own smile, yaw, pitch, gaze x, gaze y

# share of groups whose frames differ little: without them one pair in twenty moves by less than a
# pixel
FAINT_SHARE = 0.6
FAINT_POSE, USUAL_POSE = (
    0.03,
    0.14,
)  # radians, how much the head turns at most between frames that differ little, and others
REFLECTED_SHARE = 0.25  # share of clips that a short video runs through to and fro
REVERSED_SHARE = (
    0.3  # share of clips that run backwards, as spotting judges every window a second time
)

Crops = TypeVar(
    "Crops", Tensor, RenderPlan
)  # pixels (.., T, 1, S, S) in 0..1, or the plan to render them


@dataclass(frozen=True)
class PairBatch(Generic[Crops]):
    """G groups of F frames: crops, and targets (G, F, TARGETS) whose differences pairs regress."""

    crops: Crops
    targets: Tensor


@dataclass(frozen=True)
class ClipBatch(Generic[Crops]):
    """B clips of T frames: crops, landmark features (B, T, landmark_feature_count), labels (B, T)
    0 1 2 or -1, intensity (B, T)
    in full macros.
    """

    crops: Crops
    landmarks: Tensor
    labels: Tensor
    intensity: Tensor

    def __getitem__(self, part: slice) -> ClipBatch[Crops]:
        return ClipBatch(
            self.crops[part], self.landmarks[part], self.labels[part], self.intensity[part]
        )


def target_scale() -> FloatArray:
    """(TARGETS,) what one unit of each motion weighs: its largest displacement, 4 pixels of a 96 px
    crop being 1.
    """
    displacement = motion_basis().max_displacement() * 96 / 4
    return np.concatenate(
        [displacement, [1.5, 1 / POSE_UNIT, 1 / POSE_UNIT, 1 / GAZE_UNIT, 1 / GAZE_UNIT]]
    ).astype("f4")


def expressive_targets() -> Tensor:
    """(TARGETS,) bool: motions that expressions are made of; False for blinks, gaze and the
    head.
    """
    names = motion_basis().names
    facial = [not name.startswith(("eyeBlink", "eyeLook")) for name in names]
    return torch.tensor([*facial, True, False, False, False, False])


def target_mirror_map() -> tuple[NDArray[np.int64], FloatArray]:
    """Which target each target becomes in a mirrored picture, and with which sign."""
    names = motion_basis().names
    swap = {"_L": "_R", "_R": "_L"}
    other = {
        "mouthLeft": "mouthRight",
        "mouthRight": "mouthLeft",
        "jawLeft": "jawRight",
        "jawRight": "jawLeft",
    }
    to = [names.index(other.get(n, n[:-2] + swap[n[-2:]] if n[-2:] in swap else n)) for n in names]
    sign = np.ones(TARGETS, np.float32)
    sign[[len(names) + 1, len(names) + 3]] = -1  # yaw, gaze x
    return np.array([*to, *range(len(names), TARGETS)]), sign


def draw_expression_weights(rng: np.random.Generator, weights: FloatArray) -> float:
    """Put 0-2 expressions, speech, a blink into `weights` (K,) of one frame; returns the share of
    own smile.
    """
    basis, smile = motion_basis(), 0.0
    for _ in range(rng.choice([0, 1, 2], p=[0.25, 0.5, 0.25])):
        amplitude = log_uniform(rng, 0.06, 1.2)
        if rng.random() < 0.15:
            smile = amplitude
            continue
        vector = basis.weights(EXPRESSIONS[str(rng.choice(list(EXPRESSIONS)))])
        vector = vector * rng.uniform(0.5, 1.4, vector.shape)
        if rng.random() < ONE_SIDED_SHARE:
            side = "_L" if rng.random() < 0.5 else "_R"
            vector = vector * np.array([0.0 if n.endswith(side) else 1.0 for n in basis.names])
        weights += (amplitude * vector).astype(np.float32)
    if rng.random() < 0.25:
        loudness = log_uniform(rng, 0.2, 1.3)
        weights += basis.weights(
            {n: abs(rng.normal(0, 0.7)) * s * loudness for n, s in SPEECH_MOTIONS}
        )
    if rng.random() < 0.25:
        weights += basis.weights({"eyeBlink": rng.uniform(0.1, 1.05)})
    if rng.random() < 0.1:  # any motion by itself
        weights[rng.integers(len(weights))] += log_uniform(rng, 0.1, 1.0)
    return float(smile)


def plan_pairs(
    geometry: AvatarGeometry,
    who: NDArray[np.int64],
    seed: int,
    frames: int,
    size: int,
    *,
    face_only: bool = False,
) -> PairBatch[RenderPlan]:
    """Frames of each avatar of `who` (G,) that differ in expression, pose, gaze, light and
    noise.
    """
    rng = np.random.default_rng(seed)
    groups, k = len(who), len(motion_basis().names)
    weights = np.zeros((groups, frames, k), np.float32)
    smile = np.zeros((groups, frames), np.float32)
    calm = rng.random(groups) < FAINT_SHARE
    for g in range(groups):
        for f in range(
            int(rng.random() < 0.5), frames
        ):  # every other group holds a quite neutral frame
            smile[g, f] = draw_expression_weights(rng, weights[g, f])
        if calm[g]:  # the same face, and what little a micro-expression changes in it
            share = log_uniform(rng, 0.06, 0.6)
            weights[g] = weights[g, 0] + share * (weights[g] - weights[g, 0])
            smile[g] = smile[g, 0] + share * (smile[g] - smile[g, 0])
    most = np.log(np.where(calm, FAINT_POSE, USUAL_POSE))[:, None, None]
    spread = np.exp(rng.uniform(np.log(0.002), most, (groups, 1, 1)))
    pose = rng.normal(0, [0.1, 0.08, 0.05], (groups, 1, 3)) + spread * rng.normal(
        0, 1, (groups, frames, 3)
    )
    pose = np.clip(pose, -0.38, 0.38).astype(np.float32)
    gaze = (
        np.clip(rng.normal(0, 0.25, (groups, frames, 2)), -1, 1)
        * (rng.random(groups) < np.where(calm, 0.3, 0.6))[:, None, None]
    )
    residue = np.exp(rng.normal(0, 0.7, (groups, 1, 1))) * rng.normal(0, 1, (groups, frames, 4))
    offset = rng.normal(0, 1, (groups, 1, 4)) * [0.012, 0.012, 0.02, 0.03]
    jitter = (residue * [0.0025, 0.0025, 0.004, 0.004] + offset).astype(np.float32)
    basis = motion_basis()
    gaze = gaze.astype(np.float32)
    weights += np.clip(gaze[..., 1:], 0, 1) * basis.weights({"eyeLookDown": 0.8})
    weights += np.clip(-gaze[..., 1:], 0, 1) * basis.weights({"eyeLookUp": 0.8})
    tracks = AvatarTracks(who, weights, smile, pose, gaze, jitter)
    smile = np.where(geometry.has_smile[who, None], smile, 0)
    truth = np.concatenate([weights, smile[..., None], pose[..., :2], gaze], -1) * target_scale()
    to, sign = target_mirror_map()
    flipped = rng.random(groups) < 0.5
    truth = np.where(flipped[:, None, None], (truth * sign)[..., to], truth)
    plan = plan_render(geometry, tracks, size, rng, face_only=face_only, flipped=flipped)
    return PairBatch(plan, torch.as_tensor(truth, dtype=torch.float32))


def pair_batch(
    renderer: AvatarRenderer,
    who: NDArray[np.int64],
    seed: int,
    frames: int,
    size: int,
    *,
    face_only: bool = False,
) -> PairBatch[Tensor]:
    """`plan_pairs`, rendered: crops (G, F, 1, size, size)."""
    plan = plan_pairs(renderer, who, seed, frames, size, face_only=face_only)
    return PairBatch(render_crops(renderer, plan.crops, size), plan.targets)


def plan_clips(
    geometry: AvatarGeometry,
    who: NDArray[np.int64],
    seed: int,
    frames: int,
    size: int,
    config: SynthConfig,
    *,
    face_only: bool = False,
    hands: float = 0.0,
) -> ClipBatch[RenderPlan]:
    """One clip for each avatar of `who` (B,), opening anywhere in its performance. hands: share of
    clips in which a hand comes before the face."""
    rng = np.random.default_rng(seed)
    scripts = [
        write_script(rng, frames, vary_event_rates(config, rng), lead=int(4 * config.rate))
        for _ in who
    ]
    scripts = [
        s if geometry.has_smile[w] else replace_photo_smile(s)
        for w, s in zip(who, scripts, strict=True)
    ]
    offset = rng.normal(0, 1, (len(who), 1, 4)) * [0.012, 0.012, 0.02, 0.03]
    tracks = AvatarTracks.of(who, scripts)
    tracks = replace(tracks, jitter=(tracks.jitter + offset).astype(np.float32))
    flipped = rng.random(len(who)) < 0.5
    plan = plan_render(geometry, tracks, size, rng, face_only=face_only, flipped=flipped)
    covered = [draw_hand(rng, frames, config.rate) if rng.random() < hands else None for _ in who]
    order, known = draw_frame_order(rng, len(who), frames)
    plan = replace(plan, order=order, hands=tuple(covered))
    people = [
        (geometry.points[w, :468], geometry.smile[w] if geometry.has_smile[w] else None)
        for w in who
    ]
    landmarks = [
        simulate_landmark_features(s, *person, rng)
        for s, person in zip(scripts, people, strict=True)
    ]
    landmarks = [
        s if hand is None else hand.disturb_landmarks(s, rng)
        for s, hand in zip(landmarks, covered, strict=True)
    ]
    seen = np.where(
        flipped[:, None, None], mirror_landmark_features(np.stack(landmarks)), np.stack(landmarks)
    ).astype(np.float32)
    labels, strength = (
        np.stack([s.labels() for s in scripts]),
        np.stack([s.intensity for s in scripts]),
    )
    seen, labels, strength = (
        np.stack([t[at] for t, at in zip(x, order, strict=True)]) for x in (seen, labels, strength)
    )
    labels[~known] = -1
    mask_full_windows(labels)
    return ClipBatch(plan, *(torch.from_numpy(x) for x in (seen, labels, strength)))


def mask_full_windows(labels: NDArray[Any]) -> None:
    """Set labels (N, T) of windows that one expression fills to -1 (unknown), in place: nothing
    changes in them by which it could be recognised.
    """
    labels[(labels != 0).all(1)] = -1


def render_clips(
    renderer: AvatarRenderer, plan: ClipBatch[RenderPlan], size: int
) -> ClipBatch[Tensor]:
    """The clips with pixels, and with what the landmark model sees where it is to look; on the
    renderer's device.
    """
    if plan.crops.use_landmark_model:
        crops, landmarks = render_with_landmarks(
            renderer, plan.crops, size, landmark_model(str(renderer.device))
        )
    else:
        crops, landmarks = (
            render_crops(renderer, plan.crops, size),
            plan.landmarks.to(renderer.device),
        )
    return ClipBatch(crops, landmarks, plan.labels, plan.intensity)


def draw_frame_order(
    rng: np.random.Generator, clips: int, frames: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(clips, frames) in which order frames are shown, and which of them count: not those that come
    again.
    """
    short = rng.random(clips) < REFLECTED_SHARE
    last = np.where(short, rng.integers(frames // 6, frames - 1, clips), frames - 1)[:, None]
    order, known = reflect_indices(frames, last), np.arange(frames) <= last
    back = (rng.random(clips) < REVERSED_SHARE)[:, None]
    return np.where(back, order[:, ::-1], order), np.where(back, known[:, ::-1], known)


def clip_batch(
    renderer: AvatarRenderer,
    who: NDArray[np.int64],
    seed: int,
    frames: int,
    size: int,
    config: SynthConfig,
    *,
    face_only: bool = False,
) -> ClipBatch[Tensor]:
    """`plan_clips`, rendered: crops (B, T, 1, size, size)."""
    plan = plan_clips(renderer, who, seed, frames, size, config, face_only=face_only)
    return render_clips(renderer, plan, size)
