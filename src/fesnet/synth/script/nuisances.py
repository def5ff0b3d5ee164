"""What happens in real videos beside expressions, drawn for some of the synthetic ones.

Each nuisance comes in episodes. None of them is an expression, but for posed mouths: what a mouth
shows that does not speak is one. All numbers are our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from fesnet.errors import UsageError

POSED_MOUTH, SPEECH_BEAT, CHEWING = "posed mouth", "speech beat", "chewing"
LEAVE = "leave"
FACE_NUISANCES = (
    *("eye closure", "drowsy lids", "strong blink", "head nod"),
    *(SPEECH_BEAT, CHEWING, POSED_MOUTH),
)  # what the face and the head do
VIEW_NUISANCES = ("lean", "head roll", LEAVE)  # where the face stands in the picture
COVER_NUISANCES = ("hand", "cup", "phone", "pen")  # what comes before the face
LOW_LIGHT, LOW_RATE, TELEVISION = "low light", "low rate", "television"
RECORDING_NUISANCES = (LOW_LIGHT, LOW_RATE, TELEVISION)  # of the whole video
NUISANCE_NAMES = (*FACE_NUISANCES, *VIEW_NUISANCES, *COVER_NUISANCES, *RECORDING_NUISANCES)
# How often each is drawn, 1 where nothing is said: there are four things that cover a face.
NUISANCE_FREQUENCY = {"cup": 0.4, "phone": 0.4, "pen": 0.4, POSED_MOUTH: 2.0, "eye closure": 1.5}
# Of these one at most: a mouth is busy with one thing.
MOUTH_NUISANCES = frozenset({SPEECH_BEAT, CHEWING, POSED_MOUTH})
PER_VIDEO = (2, 4)  # nuisances of a video that has some
TRIES = 8  # places that are tried for an episode


@dataclass(frozen=True)
class Episode:
    """One time of a nuisance, in seconds of the video: from onset to offset."""

    name: str
    onset_s: float
    offset_s: float


def check_nuisance_names(names: Sequence[str]) -> None:
    """Raises UsageError for a name that is none."""
    for name in names:
        if name not in NUISANCE_NAMES:
            raise UsageError(f"expected nuisances out of {', '.join(NUISANCE_NAMES)}, got {name!r}")


def draw_nuisances(
    rng: np.random.Generator, share: float, among: Sequence[str] = NUISANCE_NAMES
) -> tuple[str, ...]:
    """The nuisances of one video: none, or two to four of `among`, all that go together where
    there are fewer. share: of videos that have some.
    """
    if rng.random() >= share:
        return ()
    wanted, left = int(rng.integers(PER_VIDEO[0], PER_VIDEO[1] + 1)), list(among)
    drawn: list[str] = []
    while left and len(drawn) < wanted:
        often = np.array([NUISANCE_FREQUENCY.get(name, 1.0) for name in left])
        drawn.append(left[int(rng.choice(len(left), p=often / often.sum()))])
        taken = MOUTH_NUISANCES if drawn[-1] in MOUTH_NUISANCES else {drawn[-1]}
        left = [name for name in left if name not in taken]
    return tuple(sorted(drawn, key=NUISANCE_NAMES.index))


def speaks_with(names: Sequence[str], speaks: bool) -> bool:
    """Whether somebody speaks who shows these nuisances; speaks: whether they did otherwise."""
    if SPEECH_BEAT in names:
        return True
    return speaks and not MOUTH_NUISANCES & set(names)


def place_episodes(
    rng: np.random.Generator,
    stop: float,
    draw_length: Callable[[], float],
    gap: float,
    busy: Collection[tuple[float, float]] = (),
    hidden: float = 1.0,
) -> list[tuple[float, float]]:
    """Onset and length of episodes up to `stop`, `gap` apart on average (frames or seconds).

    busy: spans of expressions; of none of them an episode takes more than the share `hidden`.
    """
    placed: list[tuple[float, float]] = []
    t = rng.uniform(0, 0.6 * gap)
    while t < stop:
        length = draw_length()
        for _ in range(TRIES):
            if all(covered(t, length, span) <= hidden for span in busy):
                placed.append((t, length))
                t += length
                break
            t += rng.uniform(0.05, 0.25) * gap
        t += rng.exponential(gap)
    return placed


def covered(start: float, length: float, span: tuple[float, float]) -> float:
    """Share of a span that lies within `length` from `start`."""
    inside = min(start + length, span[1]) - max(start, span[0])
    return max(0.0, inside) / max(span[1] - span[0], 1e-9)
