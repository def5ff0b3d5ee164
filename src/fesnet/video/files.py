"""Video files and network streams, by PyAV (FFmpeg)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import av
import cv2
import numpy as np
from av.codec.context import ThreadType
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from fesnet._types import Image
from fesnet.errors import SourceError, UsageError
from fesnet.video.clock import Clock, DamageLog
from fesnet.video.orient import UPRIGHT, Matrix, display_matrix, turn_upright
from fesnet.video.source import Frame, Source

# Assumed where neither the container nor the caller knows: FFmpeg's own default for streams without
# times.
DEFAULT_RATE = Fraction(25)
# Names and titles in files may be of any encoding. PyAV 19 dropped the option.
LENIENT_METADATA: dict[str, Any] = (
    {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}
)
# Of a stream address: to connect, and to wait for the next packet (s); a lost camera must not hang
# us.
TIMEOUTS = (10.0, 30.0)
# Formats whose first plane is eight bits of luma, and those of them that always use all 256 values.
LUMA_FIRST = ("yuv420p", "yuv422p", "yuv444p", "nv12", "yuvj420p", "yuvj422p", "yuvj444p", "gray")
FULL_RANGE = ("yuvj420p", "yuvj422p", "yuvj444p", "gray")
BLACK, WHITE = 16, 235  # of the other ones
ABOVE: Any = (
    BLACK,
    0,
    0,
    0,
)  # as OpenCV takes a number for each channel; its types know arrays only
NO_PIPE = "most videos cannot be read from a pipe; save it to a file and name that"
# Formats that hold no times: FFmpeg would make some up, at 25 frames a second.
WITHOUT_TIMES = ("mpjpeg", "mjpeg", "h264", "hevc")
LIVE_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "srt", "udp", "tcp")


def open_file(path: Path, rate: Fraction | None, threads: int) -> Source:
    """Open a video file; `rate` serves only frames without times. Raises SourceError if no frame
    decodes.
    """
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"cannot open {path.name} as a video: the file is empty; copy it again")
    try:
        # Absolute, so that FFmpeg does not take a name such as "take:2.mp4" for a protocol.
        container = _open_container(str(path.absolute()), path.name, None)
        return _first_frame(container, path.name, rate, threads, path)
    except SourceError as error:
        if path.is_fifo():
            raise SourceError(f"{error}; {NO_PIPE}") from error
        raise


def missing_source_error(name: str | Path) -> UsageError:
    """What to raise for a path where nothing is; "-" would be standard input elsewhere."""
    if str(name) == "-":
        return UsageError(f"expected the name of a video, got '-'; {NO_PIPE}")
    return UsageError(f"expected a video file or an image folder, but {name} does not exist")


def open_url(url: str, rate: Fraction | None, threads: int) -> Source:
    """Open a stream address (rtsp://, http://, ...) as FFmpeg understands it. Raises
    SourceError.
    """
    parts, name = urlsplit(url), public_address(url)
    container = _open_container(url, name, TIMEOUTS)
    timeless = container.format.name in WITHOUT_TIMES and rate is None
    source = _first_frame(container, name, rate, threads, None)
    source.live = timeless or parts.scheme.lower() in LIVE_SCHEMES
    if timeless:  # a camera that sends pictures alone: the time of their arrival
        source.warnings.append(f"{name} sends no times: those of arrival on this machine were used")
        source.rate, source.frames = None, arrival_times(source.frames)
    return source


def arrival_times(frames: Iterator[Frame]) -> Iterator[Frame]:
    """The same pictures with the seconds since the first one came, by this machine's clock."""
    start: float | None = None
    for frame in frames:
        now = time.monotonic()
        start = now if start is None else start
        frame.time = now - start
        yield frame


def public_address(url: str) -> str:
    """A stream address without user, password and query: it goes into results, which people hand
    on.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    try:
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:  # no number: perhaps a part of a password
        port = ""
    return f"{parts.scheme}://{host}{port}{parts.path}"


def _open_container(
    location: str, name: str, timeouts: tuple[float, float] | None
) -> InputContainer:
    try:
        container: InputContainer = av.open(location, "r", timeout=timeouts, **LENIENT_METADATA)
    except (av.FFmpegError, ValueError) as error:
        hint = "; is it a whole video?" if timeouts is None else ""
        raise SourceError(f"cannot open {name} as a video: {_reason(error)}{hint}") from error
    if container.format.name == "tty":
        # FFmpeg would show a text file as a video of a terminal.
        container.close()
        raise SourceError(f"cannot open {name} as a video: it is a text file; give a video")
    return container


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).splitlines()[0]


def _pick_stream(container: InputContainer, name: str) -> VideoStream:
    """Take the first video stream that is not a cover picture of a sound file."""
    for stream in container.streams.video:
        if not stream.disposition & stream.disposition.attached_pic:
            if stream.codec_context is None:
                raise SourceError(
                    f"cannot decode {name}: this FFmpeg knows no decoder for its codec"
                )
            return stream
    raise SourceError(
        f"expected a video, but {name} has no video stream (holds: {_kinds(container)})"
    )


def _kinds(container: InputContainer) -> str:
    return ", ".join(sorted({stream.type for stream in container.streams} - {"video"})) or "nothing"


def _first_frame(
    container: InputContainer, name: str, rate: Fraction | None, threads: int, path: Path | None
) -> Source:
    """Decode the first frame at once: it gives the upright size, and useless files fail early."""
    try:
        reader = _Reader(name, container, rate, threads)
        frames = reader.frames()
        first = next(frames, None)
        if first is None:
            raise SourceError(f"cannot decode {name}: not a single frame is intact")
    except BaseException:
        container.close()
        raise
    height, width = first.image.shape[:2]
    return Source(
        name=name,
        path=path,
        width=width,
        height=height,
        frames=chain([first], frames),
        rate=reader.rate,
        frame_count=reader.stream.frames or None,
        duration=None if reader.duration is None else float(reader.duration),
        warnings=reader.warnings,
        on_close=container.close,
    )


def _duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Length (s) as the container gives it: of the stream, else by Matroska's tag, else of the
    whole.
    """
    if stream.duration is not None and stream.time_base is not None:
        return stream.duration * stream.time_base
    tag = re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if tag:
        return int(tag[1]) * 3600 + int(tag[2]) * 60 + Fraction(tag[3])
    whole = container.duration
    return Fraction(whole, av.time_base) if whole is not None and whole > 0 else None


class DecodedPicture:
    """A frame as the decoder gave it; `matrix` turns it upright."""

    __slots__ = ("frame", "matrix")

    def __init__(self, frame: VideoFrame, matrix: Matrix) -> None:
        self.frame = frame
        self.matrix = matrix

    def rgb(self) -> Image:
        """(H, W, 3) uint8, upright."""
        # threads=1: the default starts a pool for each frame. Copied only where FFmpeg pads the
        # rows.
        image = np.ascontiguousarray(self.frame.to_ndarray(format="rgb24", threads=1), np.uint8)
        return image if self.matrix == UPRIGHT else turn_upright(image, self.matrix)

    def grey(self) -> Image | None:
        """(H, W) uint8: the luma plane as the file holds it, in full range; None for other
        formats.
        """
        frame = self.frame
        if frame.format.name not in LUMA_FIRST:
            return None
        plane = frame.planes[0]
        luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[
            : frame.height, : frame.width
        ]
        if frame.format.name not in FULL_RANGE and frame.color_range != ColorRange.JPEG:
            above_black = np.asarray(cv2.subtract(luma, ABOVE), np.uint8)
            luma = np.asarray(
                cv2.convertScaleAbs(above_black, alpha=255 / (WHITE - BLACK)), np.uint8
            )
        return luma if self.matrix == UPRIGHT else turn_upright(luma, self.matrix)


class _Reader:
    """Decodes one stream from front to back; holds no more than one packet's frames."""

    def __init__(
        self, name: str, container: InputContainer, rate: Fraction | None, threads: int
    ) -> None:
        self.name = name
        self.container = container
        self.stream = stream = _pick_stream(container, name)
        # PyAV's default is a pool of threads for slices, which few files have.
        stream.codec_context.thread_type = ThreadType.FRAME if threads > 1 else ThreadType.NONE
        stream.codec_context.thread_count = threads
        self.warnings: list[str] = []
        self.given = rate
        average = stream.average_rate or stream.guessed_rate
        # PyAV 19 has a rational of its own, which prints 30 as 30/1.
        self.rate = Fraction(average.numerator, average.denominator) if average else rate
        self.duration = _duration(container, stream)
        self.clock = Clock(
            stream.time_base or Fraction(1, 1000), 1 / (rate or self.rate or DEFAULT_RATE)
        )
        self.damage = DamageLog(name, self.warnings)
        self.error: str | None = None
        # AVI knows decoding times only; what FFmpeg makes of them as presentation times is out of
        # order with B-frames. PyAV hands on a frame with the decoding time of the packet that
        # released it: a true order.
        self.stamp: Literal["pts", "dts"] = "dts" if container.format.name == "avi" else "pts"
        self.rotation = 0
        self.matrix = UPRIGHT

    def frames(self) -> Iterator[Frame]:
        """Every frame that decodes; what does not goes into `warnings`."""
        decoded = None
        for index, decoded in enumerate(self._decoded()):
            if index == 0:
                self._begin(decoded)
            time = self.clock.stamp(getattr(decoded, self.stamp))
            (self.damage.add_damaged if decoded.is_corrupt else self.damage.add_intact)(time)
            if decoded.rotation != self.rotation:
                self.rotation, self.matrix = decoded.rotation, display_matrix(decoded)
            yield Frame(index, float(time), DecodedPicture(decoded, self.matrix))
        if decoded is not None:
            self._finish(decoded)

    def _begin(self, first: VideoFrame) -> None:
        self.rotation, self.matrix = first.rotation, display_matrix(first)
        if first.pts is None and first.dts is not None:
            self.stamp = "dts"
        elif first.pts is None and self.given:
            self.rate = self.given
        elif first.pts is None:
            rate = float(self.rate or DEFAULT_RATE)
            self.warnings.append(
                f"{self.name} holds no times: {rate:g} frames a second assumed; else give --fps"
            )

    def _decoded(self) -> Iterator[VideoFrame]:
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self.error = _reason(error)
                yield from self._decode(None)
                return
            if packet is None:
                return
            yield from self._decode(packet)

    def _decode(self, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
        """Frames that come out when `packet` goes in (None: at the end); none if it is damaged."""
        if packet is not None and packet.is_corrupt:
            self.damage.add_damaged(self._packet_time(packet))
        try:
            return self.stream.decode(packet)
        except av.FFmpegError:
            self.damage.add_damaged(self._packet_time(packet))
            return []

    def _packet_time(self, packet: Packet[VideoStream] | None) -> Fraction:
        return self.clock.packet_time(None if packet is None else getattr(packet, self.stamp))

    def _finish(self, last: VideoFrame) -> None:
        for at in self.clock.restarts:
            self.warnings.append(
                f"{self.name}: times start anew at {float(at):.2f} s; they were joined there"
            )
        promised = self.duration
        if self.clock.restarts or (
            self.stream.duration is None and len(self.container.streams) > 1
        ):
            promised = (
                None  # counts something else than this video from its first to its last frame
            )
        elif promised is not None:
            promised -= max(Fraction(0), self.clock.zero)  # some headers count from time 0
        end = self.clock.end(last.duration * self.clock.tick)
        self.damage.finish(end, promised, self.error)
