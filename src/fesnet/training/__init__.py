"""Portraits -> weights."""

from fesnet.training.config import TrainConfig, read_config
from fesnet.training.loop import Trainer, train_from_portraits

__all__ = ["TrainConfig", "Trainer", "read_config", "train_from_portraits"]
