"""What a result depends on besides its video, and the digest that tells whether a stored one is
current.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from fesnet._io import read_toml
from fesnet.errors import UsageError
from fesnet.postprocess import IntervalRules
from fesnet.runtime import Device
from fesnet.spotter import Spotter
from fesnet.video.source import check_seconds, exact_rate


@dataclass(frozen=True)
class SpotSettings:
    """Settings that the workers get.

    weights: a folder, None for the bundled ones; rate: frames a second of image folders; seconds:
    stop after; formats: of `fesnet.exports` to write beside each result; device and sound: as of
    `Spotter`.
    """

    weights: str | None = None
    runtime: str = "onnx"
    faces: str = "largest"
    rules: IntervalRules = field(default_factory=IntervalRules)
    rate: float | None = None
    seconds: float | None = None
    formats: tuple[str, ...] = ()
    device: Device = "auto"
    sound: bool = False

    def __post_init__(self) -> None:
        check_seconds(self.seconds)
        if self.rate is not None:
            exact_rate(self.rate)
        if self.faces not in ("largest", "all"):
            raise UsageError(f"expected faces 'largest' or 'all', got {self.faces!r}")

    def override(self, overrides: dict[str, Any]) -> SpotSettings:
        """With a video's own values for rate, faces, seconds and the names of rules. Raises
        UsageError.
        """
        names = {f.name for f in fields(self)}
        rules = override_rules(
            self.rules, None, {k: v for k, v in overrides.items() if k not in names}
        )
        return replace(self, rules=rules, **{k: v for k, v in overrides.items() if k in names})

    def digest(self, spotter: Spotter, *, scores_only: bool = False) -> str:
        """Hex digest of everything that decides what is written, by content: the version, the
        sha256 of weights and face models, the runtime and these settings. A result with another
        digest is made again. scores_only: of what decides the scores, without rules and formats;
        where this one is equal, stored scores are used."""
        made_by = spotter.provenance()
        names = ("fesnet", "weights_sha256", "face_models_sha256", "runtime")
        values = {**asdict(self), **{name: made_by[name] for name in names}}
        del values["weights"]  # a place; its sha256 stands for it
        if scores_only:
            del values["rules"], values["formats"]
        del values["device"], values["sound"]  # the runtime names what is used
        if self.sound:
            values["sound"] = spotter.voice_detector
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def override_rules(
    rules: IntervalRules, file: Path | None, single: dict[str, Any]
) -> IntervalRules:
    """Rules with the values of a TOML file and then the single ones (None: unchanged). Raises
    UsageError.
    """
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = read_toml(file)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"expected a TOML file with interval rules in {file}, but {error}"
            ) from error
    values |= {name: value for name, value in single.items() if value is not None}
    return rules.changed(values)
