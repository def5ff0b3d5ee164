"""Portraits -> weights."""

from fesnet.training.config import TrainConfig, read_config
from fesnet.training.from_portraits import train_from_portraits
from fesnet.training.trainer import Trainer

__all__ = ["TrainConfig", "Trainer", "read_config", "train_from_portraits"]
