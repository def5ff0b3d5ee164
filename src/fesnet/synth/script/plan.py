"""What `fesnet synth` is to make."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from fesnet._validation import require
from fesnet.errors import UsageError
from fesnet.synth.script.config import SynthConfig
from fesnet.synth.script.nuisances import NUISANCE_NAMES, check_nuisance_names

LIMIT = 1000.0  # hours: more is a slip of the keyboard
SHARES = {
    "speech_share": "speech",
    "sounds_share": "speech in sounds",
    "turning_share": "turning heads",
    "residue_share": "residues",
    "edge_blinks": "blinks at edges",
    "nod_share": "nods",
    "quiet_share": "quiet videos",
    "nuisance_share": "videos with nuisances",
}
STRENGTH = "{} strengths of 0.01 to 2 full expressions, the lower first"


@dataclass(frozen=True)
class VideoPlan:
    """What to make; all numbers are our choice. Raises UsageError for values out of range.

    One video more is made where `hours` is no multiple of `seconds`, so it is at least the time
    asked for.
    """

    hours: float = 0.1
    seconds: float = 120.0  # of each video; the field's are 20 s to some minutes
    seed: int = 0
    width: int = 640  # pixels, as CAS(ME)^2 has them
    height: int = 480
    rates: tuple[float, ...] = (30.0,)  # frames a second; one is drawn for each video
    # share of frames that are missing, as webcams leave some out: the rate varies then
    dropped: float = 0.0
    # drawn for each video; at 640x480 5 Mbit/s, as cameras record, to 0.3, as calls do
    crf: tuple[int, int] = (12, 26)
    # The settings below are those of `SynthConfig`, with other defaults.
    macro_per_minute: float = 3.0  # sparse, as in the field's long videos
    micro_per_minute: float = 2.0  # more than in the field, where there are too few to measure
    speech_share: float = 0.35
    sounds_share: float = 0.5
    turning_share: float = 0.0
    residue_share: float = 0.0
    edge_blinks: float = 0.0
    nod_share: float = 0.0
    quiet_share: float = 0.03
    macro_amplitude: tuple[float, float] = SynthConfig.macro_amplitude
    micro_amplitude: tuple[float, float] = SynthConfig.micro_amplitude
    # Share of videos that have two to four nuisances, and the names of those to draw from.
    nuisance_share: float = 0.0
    nuisance_names: tuple[str, ...] = NUISANCE_NAMES

    def __post_init__(self) -> None:
        low, high = self.crf
        small, large = min(self.width, self.height), max(self.width, self.height)
        size = f"{self.width}x{self.height}"
        checks = [
            (0 < self.hours <= LIMIT, f"hours above 0 and up to {LIMIT:g}", self.hours),
            (1 <= self.seconds <= 3600, "a length from 1 to 3600 seconds", self.seconds),
            (self.seed >= 0, "a seed of 0 or more", self.seed),
            (small >= 64 and large <= 4096, "a picture of 64 to 4096 pixels a side", size),
            (bool(self.rates), "at least one rate", "none"),
            (
                all(10 <= r <= 240 for r in self.rates),
                "rates from 10 to 240 frames a second",
                list(self.rates),
            ),
            (0 <= self.dropped <= 0.5, "a share of dropped frames from 0 to 0.5", self.dropped),
            (0 <= low <= high <= 51, "crf from 0 to 51, the lower first", f"{low}-{high}"),
        ]
        for kind in ("macro", "micro"):
            rate: float = getattr(self, f"{kind}_per_minute")
            checks.append((0 <= rate <= 30, f"0 to 30 {kind}-expressions a minute", rate))
        for name, what in SHARES.items():
            share: float = getattr(self, name)
            checks.append((0 <= share <= 1, f"a share of {what} from 0 to 1", share))
        for kind in ("macro", "micro"):
            strengths: tuple[float, float] = getattr(self, f"{kind}_amplitude")
            checks.append((is_strength(*strengths), STRENGTH.format(kind), list(strengths)))
        for holds, expected, got in checks:
            require(holds, expected, got)
        check_nuisance_names(self.nuisance_names)
        require(bool(self.nuisance_names), "at least one nuisance", "none")

    @classmethod
    def from_options(
        cls, size: str, crf: str, rates: list[float], values: Mapping[str, Any]
    ) -> VideoPlan:
        """From the command line's texts ('640x480', '18-30' or '23') and values by their names,
        strengths as texts.
        """
        sides = re.fullmatch(r"(\d+)x(\d+)", size)
        if sides is None:
            raise UsageError(f"expected a size such as 640x480, got {size!r}")
        low, high = (int(x) for x in span("crf", crf, "18-30"))
        strengths = {
            f"{kind}_amplitude": span(f"{kind} strength", values[f"{kind}_amplitude"], "0.3-0.9")
            for kind in ("macro", "micro")
            if f"{kind}_amplitude" in values
        }
        return cls(
            width=int(sides[1]),
            height=int(sides[2]),
            crf=(low, high),
            rates=tuple(rates),
            **{**values, **strengths},
        )

    @property
    def count(self) -> int:
        """How many videos that is."""
        return max(1, math.ceil(self.hours * 3600 / self.seconds - 1e-6))

    def describe(self) -> dict[str, Any]:
        """All settings for JSON. Those of nuisances are left out where there are none, so that
        folders from before can be continued.
        """
        values: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        if not self.nuisance_share:
            del values["nuisance_share"], values["nuisance_names"]
        return values

    @property
    def script(self) -> SynthConfig:
        """Settings of the scripts. Their jitter is 0: whoever aligns the video adds it."""
        names = {f.name for f in fields(self)} & {f.name for f in fields(SynthConfig)}
        names.remove("nuisance_share")  # they are drawn for the whole video, not by its script
        values = {name: getattr(self, name) for name in names}
        if self.macro_per_minute + self.micro_per_minute == 0:
            values["quiet_share"] = 1.0
        return SynthConfig(**values, jitter_scale=0.0)


def is_strength(low: float, high: float) -> bool:
    return 0.01 <= low <= high <= 2


def span(name: str, text: str, example: str) -> tuple[float, float]:
    """Both ends of '18-30', or of '23' twice; whole numbers where those of the example are. Raises
    UsageError.
    """
    number = r"\d*\.?\d+" if "." in example else r"\d+"
    found = re.fullmatch(rf"({number})(?:-({number}))?", text)
    if found is None:
        raise UsageError(
            f"expected a {name} such as {example.split('-')[0]}, or a range such as {example}, "
            f"got {text!r}"
        )
    return float(found[1]), float(found[2] or found[1])


def video_seed(seed: int, number: int) -> int:
    """The seed of video `number` (0-based), below 2**48 so that spreadsheets keep it."""
    return int(
        np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0] >> np.uint64(16)
    )
