"""Why no face may have been found in a whole video, for a warning."""

from __future__ import annotations

import numpy as np

from fesnet.video import Frame

LOOK_EVERY_S = 1.0  # s between frames that are looked at
SMALLEST_SIDE = 100  # pixels; a face should have as many
DARK, BRIGHT = 48, 208  # of 255, our choice: nearly all values below, or above
SHARE = 99  # per cent of the values that count as nearly all


class FacelessFrames:
    """Looks at frames now and then as long as there was no face."""

    def __init__(self) -> None:
        self.next_look = 0.0
        self.count = 0  # frames, whether looked at or not
        self.size = 0, 0  # width and height of the last one that was looked at
        self.brightest, self.darkest = 0, 255

    def push(self, frame: Frame) -> None:
        """Take the next frame without a face."""
        self.count += 1
        if self.count > 1 and frame.time < self.next_look:
            return
        self.next_look = frame.time + LOOK_EVERY_S
        grey = frame.grey
        self.size = grey.shape[1], grey.shape[0]
        low, high = np.percentile(grey[::4, ::4], (100 - SHARE, SHARE))
        self.brightest = max(self.brightest, int(high))
        self.darkest = min(self.darkest, int(low))

    def reason(self) -> str:
        """What may be the reason, and what to do."""
        width, height = self.size
        if self.brightest <= DARK:
            return f"its pictures are dark (up to {self.brightest} of 255): make them lighter"
        if self.darkest >= BRIGHT:
            return f"its pictures are white (from {self.darkest} of 255): make them darker"
        if min(width, height) < SMALLEST_SIDE:
            return f"its pictures have {width} x {height} pixels: take a larger copy"
        return (
            f"faces should be at least {SMALLEST_SIDE} pixels wide, upright and seen from the front"
        )
