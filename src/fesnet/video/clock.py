"""Times of a file: stamps -> seconds that never fall, and warnings about damage."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Any

from av.packet import Packet

# A stamp that falls by more than this (s) is a new start (joined or wrapped streams), not a slip.
RESTART_S = 1
# Damaged packets closer than this (s) are reported as one run: a lost picture spoils those that
# refer to it.
RUN_S = 1
# A video may end this much (s) before its header says: edit lists and rounding do so in sound
# files.
END_TOLERANCE = Fraction(1, 2)
# A frame is shown until the next one comes, but the last one's length is only claimed (s).
LONGEST_FRAME_S = Fraction(1)
# Frames further apart than this (s) leave a hole. All holes of a file together may last so long
# (s): a day. One wild stamp would else make a result of months, and take the memory for it.
HOLE_S, MOST_EMPTY_S = 10, 86_400
# Of the times of arrival (s).
ARRIVAL_TICK = Fraction(1, 1_000_000)


class Clock:
    """Turns presentation stamps (ticks of `tick` s, or None) into a player's seconds."""

    def __init__(self, tick: Fraction, step: Fraction) -> None:
        """`step` (s) is the time from frame to frame, used only where a stamp is missing or
        restarts.
        """
        self.tick = tick
        self.step = step
        self.restarts: list[Fraction] = []
        self.leaps: list[tuple[Fraction, Fraction]] = []  # (time, s left out)
        self.ignore_stamps = False  # frames then lie one step apart
        self.first_stamp = Fraction(0)  # the container's own time (s) of the first frame
        self.first = Fraction(0)  # and ours
        self._zero: Fraction | None = None
        self._last: Fraction | None = None
        self._empty = Fraction(0)  # s of holes so far

    def begin(self, ticks: int, at: Fraction) -> None:
        """Say beforehand at what second (s) the first frame, stamped `ticks`, lies. A player knows
        no time before 0; one later than MOST_EMPTY_S is none that anybody waits for.
        """
        at = max(Fraction(0), at)
        if at > MOST_EMPTY_S:
            self.leaps.append((Fraction(0), at))
            at = Fraction(0)
        self._empty = at
        self.first, self.first_stamp = at, ticks * self.tick
        self._zero = self.first_stamp - at

    def end(self, lasts: Fraction = Fraction(0)) -> Fraction:
        """When the last frame ends: it `lasts` so long (s), or one step if that is 0; 0 before the
        first.
        """
        if self._last is None:
            return self.first
        return self._last + (min(lasts, LONGEST_FRAME_S) or self.step)

    def stamp(self, ticks: int | None) -> Fraction:
        """A player's second of the next frame, never below that of the frame before. Without
        `begin` the first one is 0.
        """
        if ticks is None or self.ignore_stamps:
            self._last = self.end()
            return self._last
        seconds = ticks * self.tick
        if self._zero is None:
            self.first_stamp = seconds
            self._zero = seconds - self.end()
        time = seconds - self._zero
        if self._last is not None:
            time = self._follow(seconds, self._last, time - self._last)
        self._last = time
        return time

    def _follow(self, seconds: Fraction, last: Fraction, step: Fraction) -> Fraction:
        """The time of a frame `step` after the last one."""
        if step < 0:
            return self._restarted(seconds, last, -step)
        if step > HOLE_S:
            if self._empty + step > MOST_EMPTY_S:
                time = self.end()
                self.leaps.append((time, step))
                self._zero = seconds - time
                return time
            self._empty += step
        return last + step

    def _restarted(self, seconds: Fraction, last: Fraction, by: Fraction) -> Fraction:
        if by <= RESTART_S:
            return last
        time = self.end()
        self.restarts.append(time)
        self._zero = seconds - time
        return time

    def packet_time(self, ticks: int | None) -> Fraction:
        """Where a packet's stamp lies, s since the first frame; after the last frame if that is
        unknown.
        """
        if ticks is None or self._zero is None:
            return self.end()
        return max(Fraction(0), ticks * self.tick - self._zero)


def stamp_arrival(packet: Packet[Any]) -> None:
    """Give a packet the time of its arrival, in ARRIVAL_TICKs. FFmpeg's own stamp is coarse (1/25 s
    in a row of JPEGs: two pictures of 30 a second would share one), but holds for packets that
    were read while the stream was opened.
    """
    if packet.dts is None:
        return
    tick = Fraction(packet.time_base.numerator, packet.time_base.denominator)
    now, came = Fraction(time.time_ns(), 1_000_000_000), packet.dts * tick
    if abs(now - came) <= tick:
        came = now
    packet.time_base = ARRIVAL_TICK
    packet.pts = packet.dts = round(came / ARRIVAL_TICK)
    packet.duration = 0


class DamageLog:
    """Collects what could not be decoded and puts it into one warning for each run."""

    def __init__(self, name: str, warnings: list[str]) -> None:
        self.name = name
        self.warnings = warnings
        self._run: list[Fraction] = []
        self._last_intact = Fraction(-1)

    def add_damaged(self, at: Fraction) -> None:
        """Note that something at `at` (s) could not be decoded, or only in part."""
        self._flush_if_over(at)
        self._run.append(at)
        self._run = [min(self._run), max(self._run)]

    def add_intact(self, at: Fraction) -> None:
        """Note a sound frame at `at` (s)."""
        self._last_intact = at
        self._flush_if_over(at)

    def finish(self, end: Fraction, promised: Fraction | None, error: str | None) -> None:
        """At the end of the file: report the last run, or that the file broke off.

        end: s, when the last frame ends; promised: s, what the header says; error: the reader's
        last word.
        """
        reason = error
        if self._run and self._last_intact > self._run[-1]:
            self._flush()
        elif self._run:
            end, reason = min(end, self._run[0]), error or "the rest cannot be decoded"
        if not reason and promised is not None and end + END_TOLERANCE < promised:
            reason = f"it ends there, but should last {float(promised):.2f} s"
        if reason:
            self.warnings.append(
                f"{self.name} broke at {float(end):.2f} s: {reason}; the part before was used"
            )

    def _flush_if_over(self, now: Fraction) -> None:
        if self._run and now - self._run[-1] > RUN_S:
            self._flush()

    def _flush(self) -> None:
        first, last = f"{float(self._run[0]):.2f}", f"{float(self._run[-1]):.2f}"
        where = f"at {first} s" if first == last else f"from {first} to {last} s"
        self.warnings.append(
            f"{self.name} is damaged {where}: frames there are missing or spoilt; the rest was used"
        )
        self._run = []
