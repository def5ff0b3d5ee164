"""Times of a file: stamps -> seconds that never fall, and warnings about damage."""

from __future__ import annotations

from fractions import Fraction

# A stamp that falls by more than this (s) is a new start (joined or wrapped streams), not a slip.
RESTART_S = 1
# Damaged packets closer than this (s) are reported as one run: a lost picture spoils those that
# refer to it.
RUN_S = 1
# A video may end this much (s) before its header says: edit lists and rounding do so in sound
# files.
END_TOLERANCE = Fraction(1, 2)


class Clock:
    """Turns presentation stamps (ticks of `tick` s, or None) into seconds since the first frame."""

    def __init__(self, tick: Fraction, step: Fraction) -> None:
        """`step` (s) is the time from frame to frame, used only where a stamp is missing or
        restarts.
        """
        self.tick = tick
        self.step = step
        self.restarts: list[Fraction] = []
        self._zero: Fraction | None = None
        self._last: Fraction | None = None

    @property
    def zero(self) -> Fraction:
        """The container's own time (s) of what we call 0."""
        return self._zero or Fraction(0)

    def end(self, lasts: Fraction = Fraction(0)) -> Fraction:
        """When the last frame ends: it `lasts` so long (s), or one step if that is 0; 0 before the
        first.
        """
        return Fraction(0) if self._last is None else self._last + (lasts or self.step)

    def stamp(self, ticks: int | None) -> Fraction:
        """Time of the next frame: s since the first, never below that of the frame before."""
        if ticks is None:
            self._last = self.end()
            return self._last
        seconds = ticks * self.tick
        if self._zero is None:
            self._zero = seconds - self.end()
        time = seconds - self._zero
        if self._last is not None and time < self._last:
            time = self._restarted(seconds, self._last, self._last - time)
        self._last = time
        return time

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
