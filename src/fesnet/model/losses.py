"""Loss terms, each by name: class-balanced frame loss per stage, smooth loss on refined stages, and
extensions.

The paper names a smooth loss on the cascade-refined proposals; its form here (a truncated squared
difference of successive log probabilities, after the temporal-segmentation literature) and all
weights are our choice.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

MOTION_FLOOR = 0.06  # a quarter of a pixel; smaller motions are not scaled up further
HUBER_BETA = 0.7  # share of the largest motion; larger errors count linearly
NUISANCE_WEIGHT = 0.25  # of an error in blinks, gaze or head against one in an expression


@dataclass(frozen=True)
class LossConfig:
    """Weights of the terms; all our choice."""

    class_weights: tuple[float, float, float] = (1.0, 1.5, 3.0)  # micro frames are few
    focal: float = 0.0  # exponent that turns the loss to hard frames; 0 is plain cross entropy
    smooth: float = 0.1  # weight of the smooth loss (paper: on)
    smooth_limit: float = 4.0  # larger steps of log probability are true edges, not smoothed
    intensity: float = 0.5  # weight of the intensity term (extension)


def frame_loss(logits: Tensor, labels: Tensor, config: LossConfig) -> Tensor:
    """Class-balanced focal cross entropy of (..., K) logits against (...) labels; label -1 does not
    count.
    """
    known = labels >= 0
    weights = torch.tensor(config.class_weights, device=logits.device)
    flat, truth = logits[known], labels[known]
    entropy = F.cross_entropy(flat, truth, reduction="none")
    sure = torch.exp(-entropy)
    share = weights[truth]
    return (share * (1 - sure) ** config.focal * entropy).sum() / share.sum().clamp(min=1.0)


def smooth_loss(logits: Tensor, labels: Tensor, config: LossConfig) -> Tensor:
    """Truncated squared step of log probabilities between successive frames; (B, T, K), labels (B,
    T).
    """
    log_p = logits.log_softmax(-1)
    step = (log_p[:, 1:] - log_p[:, :-1].detach()).clamp(-config.smooth_limit, config.smooth_limit)
    known = ((labels[:, 1:] >= 0) & (labels[:, :-1] >= 0))[..., None]
    return (step.square() * known).sum() / (known.sum() * logits.shape[-1]).clamp(min=1)


def clip_losses(
    stages: Tensor, strength: Tensor, labels: Tensor, truth: Tensor, config: LossConfig
) -> dict[str, Tensor]:
    """Named terms for stage logits (S, B, T, K), intensity (B, T), labels (B, T) and true intensity
    (B, T), below 0 where it is not known.

    `total` is their weighted sum and the one to minimise.
    """
    terms = {f"frame{s}": frame_loss(logits, labels, config) for s, logits in enumerate(stages)}
    terms["smooth"] = torch.stack(
        [smooth_loss(logits, labels, config) for logits in stages[1:]]
    ).mean()
    known = ((labels >= 0) & (truth >= 0)).float()
    miss = F.smooth_l1_loss(strength, truth, reduction="none", beta=0.1)
    terms["intensity"] = (miss * known).sum() / known.sum().clamp(min=1)
    frames = torch.stack([terms[f"frame{s}"] for s in range(len(stages))]).mean()
    terms["total"] = (
        frames + config.smooth * terms["smooth"] + config.intensity * terms["intensity"]
    )
    return terms


def pair_loss(found: Tensor, truth: Tensor, expressive: Tensor) -> Tensor:
    """Error of motion differences (..., M), 4 crop pixels of motion being 1, relative to how much
    moved (our choice).

    expressive (M,) bool: motions of expressions. The others (blinks, gaze, head) have a term of
    their own, so that a large head turn does not outweigh a lip corner. The error is squared below
    HUBER_BETA: an absolute error would pull faint motions to their median, which is 0.
    """
    expressions, nuisances = (
        relative_error(found[..., which], truth[..., which]) for which in (expressive, ~expressive)
    )
    weight = NUISANCE_WEIGHT * (~expressive).sum() / expressive.sum()
    return 20 * (expressions + weight * nuisances)


def relative_error(found: Tensor, truth: Tensor) -> Tensor:
    """Mean Huber loss of errors (..., M) divided by each pair's largest motion."""
    weight = 1 / (MOTION_FLOOR + truth.abs().amax(-1, keepdim=True))
    return F.smooth_l1_loss(weight * found, weight * truth, beta=HUBER_BETA)


def independent_frame_loss(logits: Tensor, labels: Tensor, config: LossConfig) -> Tensor:
    """As `frame_loss`, but each kind against neutral: logits (..., K), labels (..., 2) in 0..1, -1
    where unknown.

    A frame of a kind weighs as `class_weights` says, any other 1.
    """
    known = (labels >= 0).all(-1)
    found, truth = (logits[known][:, 1:] - logits[known][:, :1]), labels[known]
    entropy = F.binary_cross_entropy_with_logits(found, truth, reduction="none")
    sure = torch.exp(-entropy)
    share = 1 + truth * (torch.tensor(config.class_weights[1:], device=logits.device) - 1)
    return (share * (1 - sure) ** config.focal * entropy).sum() / share.sum().clamp(min=1.0)
