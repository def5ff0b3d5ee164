"""A script with the size of every event, laid on the frames of a video of any rate.

Scripts are written at the working rate (`SCRIPT_RATE`) and sampled at the video's own frame times,
so what happens does not depend on the frame rate, and a video may drop frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fesnet._types import FloatArray
from fesnet.intervals import Interval, Kind, nearest_frame, to_source_frames
from fesnet.synth.render.avatar import face_motion
from fesnet.synth.script.config import SynthConfig
from fesnet.synth.script.curves import sample_track
from fesnet.synth.script.nuisances import Episode
from fesnet.synth.script.script import Script
from fesnet.synth.script.writer import ScriptWriter

SCRIPT_RATE = 30.0
CROP = 96  # pixels of the aligned crop in which displacements are given
# seconds written before the video begins: a script always begins with an event, a video need not
LEAD_SECONDS = 20.0
MIN_FRAMES = 3  # script frames of an event that must lie inside the video to be labelled


@dataclass(frozen=True)
class Event:
    """One expression by itself, whatever else the face does at the same time.

    interval: its frames; curve (interval's length,) its intensity in each of them, 1 a full
    expression; weights (K,) and smile: what it adds to the script's tracks where `curve` is
    highest.
    """

    interval: Interval
    curve: FloatArray
    weights: FloatArray
    smile: float

    @property
    def amplitude(self) -> float:
        """Share of a full expression at the strongest frame."""
        return float(self.curve.max())

    def pixels(self, smile: FloatArray) -> float:
        """How far the landmark that moves most goes for this expression alone, at its strongest
        frame.

        In pixels of a 96 px aligned crop, seen from the front; head motion, speech and blinks are
        not in it. smile (468, 2): the person's full smile, crop units.
        """
        motion = face_motion(self.weights[None])[0, :, :2] + self.smile * smile
        return CROP * float(np.linalg.norm(motion, axis=1).max())


@dataclass(frozen=True)
class VideoScript:
    """What is played in a video: the script on the video's T frames, its events with their sizes,
    times (T,) in s. episodes: when its nuisances come.
    """

    script: Script
    events: tuple[Event, ...]
    times: FloatArray
    episodes: tuple[Episode, ...] = ()

    def __len__(self) -> int:
        return len(self.times)


class EventRecorder(ScriptWriter):
    """Writes a script and notes what each event by itself adds to it."""

    def __init__(self, rng: np.random.Generator, frames: int, config: SynthConfig) -> None:
        super().__init__(rng, frames, config)
        self.recorded: list[Event] = []

    def write_event(self, start: int, kind: Kind) -> int:
        weights, smile, intensity = self.weights.copy(), self.smile.copy(), self.intensity.copy()
        known = len(self.events)
        after = super().write_event(start, kind)
        for interval in self.events[known:]:
            curve = (self.intensity - intensity)[interval.start : interval.stop]
            top = interval.start + int(curve.argmax())
            moved = (self.weights - weights)[top], float((self.smile - smile)[top])
            self.recorded.append(Event(interval, curve, *moved))
        return after


def write_video_script(
    rng: np.random.Generator,
    times: FloatArray,
    config: SynthConfig,
    make_recorder: Callable[[np.random.Generator, int, SynthConfig], EventRecorder] = EventRecorder,
    nuisances: tuple[str, ...] = (),
) -> VideoScript:
    """A random performance at frame times (T,) in seconds from 0 on; rises. config.rate is set
    here. make_recorder: another writer of events. nuisances: of the face, by their names.
    """
    lead = round(LEAD_SECONDS * SCRIPT_RATE)
    frames = lead + int(times[-1] * SCRIPT_RATE) + 4
    recorder = make_recorder(rng, frames, replace(config, rate=SCRIPT_RATE))
    recorder.nuisances = nuisances
    script = recorder.write()
    at = np.asarray(times * SCRIPT_RATE + lead)
    placed = [clip_event(event, lead, times) for event in recorder.recorded]
    events = tuple(sorted((e for e in placed if e is not None), key=lambda e: e.interval))
    played = Script(
        weights=sample_track(script.weights, at),
        smile=sample_track(script.smile, at),
        pose=sample_track(script.pose, at),
        gaze=sample_track(script.gaze, at),
        jitter=sample_track(script.jitter, at),
        intensity=sample_track(script.intensity, at),
        events=tuple(e.interval for e in events),
    )
    return VideoScript(played, events, times, clip_episodes(recorder.episodes, lead, times))


def clip_episodes(
    episodes: Sequence[tuple[str, tuple[int, int]]], lead: int, times: FloatArray
) -> tuple[Episode, ...]:
    """Those of a script, in frames, that the video shows, in its seconds."""
    placed = []
    for name, (start, stop) in episodes:
        onset, offset = (start - lead) / SCRIPT_RATE, (stop - 1 - lead) / SCRIPT_RATE
        if offset > 0 and onset < times[-1]:
            placed.append(Episode(name, max(0.0, onset), min(float(times[-1]), offset)))
    return tuple(placed)


def clip_event(event: Event, lead: int, times: FloatArray) -> Event | None:
    """The event on the video's frames: those nearest to its first and last script frame. None: too
    little is inside.

    An event that the video's start or end cuts has its sizes of the part that is seen.
    """
    start = max(0, lead - event.interval.start)
    inside = int(times[-1] * SCRIPT_RATE) + 1 - (event.interval.start - lead)
    curve = event.curve[start : max(start, inside)]
    if len(curve) < MIN_FRAMES:
        return None
    onset = (event.interval.start + start - lead) / SCRIPT_RATE
    offset, apex = onset + (len(curve) - 1) / SCRIPT_RATE, onset + int(curve.argmax()) / SCRIPT_RATE
    first, last = to_source_frames(onset, offset, times, 0.5 / SCRIPT_RATE)
    interval = Interval(
        first, last + 1, event.interval.kind, apex=min(max(nearest_frame(apex, times), first), last)
    )
    share = float(curve.max() / max(event.curve.max(), 1e-9))
    return Event(interval, curve, share * event.weights, share * event.smile)
