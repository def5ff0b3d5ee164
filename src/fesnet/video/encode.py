"""Write pictures as an H.264 file that every browser plays."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.codec import codecs_available
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from fesnet._io import commit_partial, create_partial
from fesnet.errors import SourceError, UsageError
from fesnet.video.source import exact_rate

BT709 = 1  # the code of this colour matrix in H.264 and MP4; browsers assume it by default


def check_writable(path: Path) -> None:
    """Raises UsageError where no file can be written: a folder that does not exist, or a path that
    is one.
    """
    if path.is_dir():
        raise UsageError(
            f"expected a file to write, got the folder {path}; name a file like seen.mp4 in it"
        )
    if not path.absolute().parent.is_dir():
        raise UsageError(f"expected an existing folder for {path}; make {path.parent} first")


class VideoWriter:
    """Context manager that encodes an H.264 mp4 (MPEG-4 Part 2 where FFmpeg lacks x264), yuv420p,
    fast start.

    The file appears under its name only when the block ends well; after an error nothing is left.

        with VideoWriter("face.mp4", Fraction(30), 640, 360) as writer:
            writer.write(image)
    """

    def __init__(
        self,
        path: str | Path,
        rate: Fraction | float,
        width: int,
        height: int,
        *,
        crf: int = 18,
        timed: bool = False,
    ) -> None:
        """`crf` is x264's quality: 0 lossless, 18 looks the same (our choice), 51 worst. timed:
        every picture comes with its own time, and `rate` is only about what to expect.

        Odd sizes get one more column or row, a copy of the last, because yuv420p needs even ones.
        Raises UsageError for sizes, rate or crf out of range, a folder that does not exist, or a
        path that is one.
        """
        if width < 1 or height < 1:
            raise UsageError(f"expected a picture of at least 1 x 1, got {width} x {height}")
        if not 0 <= crf <= 51:
            raise UsageError(f"expected crf from 0 to 51, got {crf}")
        self.path = Path(path)
        check_writable(self.path)
        self.rate = exact_rate(rate)
        self.width = width
        self.height = height
        self.crf = crf
        self.count = 0
        self.time_unit = Fraction(1, 90000) if timed else None  # s; the usual time base of video
        self.last = -1  # the time of the picture before, in that unit
        self._part: Path | None = None
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None

    def __enter__(self) -> Self:
        try:
            self._part = create_partial(self.path)
        except OSError as error:
            raise SourceError(f"cannot write {self.path}: {error.strerror}") from error
        try:
            self._container = av.open(
                str(self._part.absolute()), "w", format="mp4", options={"movflags": "+faststart"}
            )
        except av.FFmpegError as error:
            self._part.unlink(missing_ok=True)
            raise SourceError(f"cannot write {self.path}: {error.strerror}") from error
        self._stream = self._new_stream(self._container)
        return self

    def _new_stream(self, container: OutputContainer) -> VideoStream:
        if "libx264" in codecs_available:
            # x264's macroblock tree gives other bytes from run to run for equal pictures (seen at
            # 96 x 80).
            options = {"crf": str(self.crf), "x264-params": "mbtree=0"}
            stream = container.add_stream("libx264", self.rate, options=options)
        else:
            # MPEG-4 counts quality from 1 to 31 in lambda units of 118; a third of the crf looks
            # alike.
            quality = {"flags": "+qscale", "global_quality": str(118 * max(1, self.crf // 6))}
            stream = container.add_stream("mpeg4", self.rate, options=quality)
        stream.width = self.width + self.width % 2
        stream.height = self.height + self.height % 2
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = 1 / self.rate if self.time_unit is None else self.time_unit
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = ColorRange.MPEG
        return stream

    def write(self, image: npt.NDArray[Any], time: float | None = None) -> None:
        """Append one picture (height, width, 3) uint8 RGB, shown from `time` s where the writer is
        a timed one.

        Raises UsageError for any other shape or type.
        """
        if self._stream is None:
            raise UsageError("expected VideoWriter to be used in a with block; write inside of it")
        wanted = (self.height, self.width, 3)
        if image.shape != wanted or image.dtype != np.uint8:
            raise UsageError(f"expected an image {wanted} uint8, got {image.shape} {image.dtype}")
        if self.width % 2 or self.height % 2:
            right, below = self.width % 2, self.height % 2
            image = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REPLICATE)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, threads=1)
        frame.pts, frame.time_base = self.presentation_time(time)
        self._mux(self._stream, frame)
        self.count += 1

    def presentation_time(self, time: float | None) -> tuple[int, Fraction]:
        """When the next picture is shown, in units of a time base."""
        if self.time_unit is None or time is None:
            return self.count, 1 / self.rate
        self.last = max(
            round(time / self.time_unit), self.last + 1
        )  # a camera may give one time twice; a file may not
        return self.last, self.time_unit

    def _mux(self, stream: VideoStream, frame: av.VideoFrame | None) -> None:
        try:
            for packet in stream.encode(frame):
                stream.container.mux(packet)  # type: ignore[attr-defined]
        except av.FFmpegError as error:
            raise SourceError(f"cannot write {self.path}: {error.strerror}") from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._complete()
        finally:
            self._stream = None
            if self._container is not None:
                self._container.close()
            if self._part is not None:
                self._part.unlink(missing_ok=True)

    def _complete(self) -> None:
        if self._stream is None or self._container is None or self._part is None or not self.count:
            raise UsageError(
                f"expected at least one image for {self.path}, got none; nothing was written"
            )
        self._mux(self._stream, None)
        self._container.close()
        commit_partial(self._part, self.path)
