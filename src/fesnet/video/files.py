"""Video files and network streams, by PyAV (FFmpeg)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
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
from fesnet.video.clock import ARRIVAL_TICK, END_TOLERANCE, Clock, DamageLog, stamp_arrival
from fesnet.video.containers import (
    CLOCKLESS,
    check_pixels,
    ffmpeg_reason,
    open_container,
    pick_stream,
    player_zero,
    told_rate,
    written_pipe,
)
from fesnet.video.dark import frame_dark_warning
from fesnet.video.display import display_size, stretch
from fesnet.video.orient import UPRIGHT, Matrix, display_matrix, turn_upright
from fesnet.video.source import Frame, LumaPlane, Source

# Assumed where neither the container nor the caller knows: FFmpeg's own default for streams without
# times.
DEFAULT_RATE = Fraction(25)
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
MOST_REORDERED = 2  # packets that a decoder takes before it gives a frame, beside damaged ones
CLOCK_TOLERANCE = 0.01  # a rate that is given and nearer to the file's own is no contradiction
LIVE_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "rtp", "srt", "udp", "tcp")


def open_file(path: Path, rate: Fraction | None, threads: int) -> Source:
    """Open a video file; `rate` serves only frames without times. Raises SourceError if no frame
    decodes.
    """
    if path.is_file() and path.stat().st_size == 0:
        raise SourceError(f"cannot open {path.name} as a video: the file is empty; copy it again")
    if path.is_char_device():
        raise SourceError(f"cannot open {path} as a video: it is a device; give a file")
    try:
        with written_pipe(path):
            # Absolute, so that FFmpeg does not take a name such as "take:2.mp4" for a protocol.
            container = open_container(str(path.absolute()), path.name, remote=False)
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
    live = parts.scheme.lower() in LIVE_SCHEMES
    container = open_container(url, name, remote=True)
    # A camera's row of pictures has no times, and FFmpeg would count 25 a second. What is fetched
    # from a disk at any speed (a raw stream over HTTP) has no clock either way.
    no_clock = container.format.name == "mpjpeg" or (live and container.format.name in CLOCKLESS)
    if no_clock and rate is None:
        container.close()
        container = open_container(url, name, remote=True, wall_clock=True)
    source = _first_frame(container, name, rate, threads, None, no_clock and rate is None)
    source.live = live or no_clock
    return source


SECRET_IN_PATH = re.compile(
    r"(?i)(user(?:name)?|usr|login|pass(?:word|wd|phrase)?|pwd?|pw|token|secret|key|auth|psk)"
    r"=[^&;/]*"
)


def public_address(url: str) -> str:
    """A stream address without user, password and query: it goes into results, which people hand
    on. A password may hold a "/", "?" or "#" that should have been escaped: all up to its "@"
    goes. Recorders take user and password in the path, too (user=admin&password=...).
    """
    scheme, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    if "@" in place and "@" in query:  # not to be told from a password with both
        place = query.rpartition("@")[2].partition("?")[0]
    port = re.split("[/?#]", rest)[0].rpartition("]")[2].partition(":")[2]
    if "@" not in place and port and not port.isdecimal():  # no port: a password
        place = rest
    parts = urlsplit(f"{scheme}://{place.rpartition('@')[2]}")
    host = re.split("%40", parts.hostname or "")[-1]
    host = f"[{host}]" if ":" in host else host
    try:
        port = "" if parts.port is None else f":{parts.port}"
    except ValueError:  # no number: perhaps a part of a password
        port = ""
    path = SECRET_IN_PATH.sub(r"\1=...", parts.path)
    return f"{parts.scheme}://{host}{port}{path}"


def _first_frame(
    container: InputContainer,
    name: str,
    rate: Fraction | None,
    threads: int,
    path: Path | None,
    wall_clock: bool = False,
) -> Source:
    """Decode the first frame at once: it gives the upright size, and useless files fail early."""
    try:
        reader = _Reader(name, container, rate, threads, wall_clock)
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
    """A frame as the decoder gave it; `size` makes its pixels square, `matrix` turns it upright."""

    __slots__ = ("frame", "matrix", "size")

    def __init__(self, frame: VideoFrame, matrix: Matrix, size: tuple[int, int] | None) -> None:
        self.frame = frame
        self.matrix = matrix
        self.size = size

    def rgb(self) -> Image:
        """(H, W, 3) uint8, upright."""
        # threads=1: the default starts a pool for each frame. Copied only where FFmpeg pads the
        # rows.
        return self._shown(
            np.ascontiguousarray(self.frame.to_ndarray(format="rgb24", threads=1), np.uint8)
        )

    def grey(self) -> Image | None:
        """(H, W) uint8: the luma plane as the file holds it, in full range; None for other
        formats.
        """
        plane = self._plane()
        return None if plane is None else self._shown(plane[1](plane[0]))

    def luma(self) -> LumaPlane | None:
        """The same, made where it is cut; None where the picture must be turned or stretched."""
        if self.size is not None or self.matrix != UPRIGHT:
            return None
        plane = self._plane()
        return None if plane is None else LumaPlane(*plane)

    def _plane(self) -> tuple[Image, Callable[[Image], Image]] | None:
        """The luma plane (H, W) as the file holds it, and what brings it to full range."""
        frame = self.frame
        form = frame.format.name
        if form not in LUMA_FIRST:
            return None
        plane = frame.planes[0]
        luma = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        whole = form in FULL_RANGE or frame.color_range == ColorRange.JPEG
        return luma[: frame.height, : frame.width], np.asarray if whole else widen_range

    def _shown(self, image: Image) -> Image:
        square = stretch(image, self.size)
        return square if self.matrix == UPRIGHT else turn_upright(square, self.matrix)


def widen_range(luma: Image) -> Image:
    """Luma from BLACK to WHITE, any shape (H, W), to 0..255."""
    above_black = cv2.subtract(luma, ABOVE)
    return np.asarray(cv2.convertScaleAbs(above_black, alpha=255 / (WHITE - BLACK)), np.uint8)


class _Reader:
    """Decodes one stream from front to back; holds no more than one packet's frames."""

    def __init__(
        self,
        name: str,
        container: InputContainer,
        rate: Fraction | None,
        threads: int,
        wall_clock: bool,
    ) -> None:
        self.name = name
        self.container = container
        self.warnings: list[str] = []
        self.wall_clock = wall_clock  # times are those of arrival, not of the stream
        self.stream = stream = pick_stream(container, name, self.warnings)
        # PyAV's default is a pool of threads for slices, which few files have.
        stream.codec_context.thread_type = ThreadType.FRAME if threads > 1 else ThreadType.NONE
        stream.codec_context.thread_count = threads
        self.given = rate
        self.rate = (None if wall_clock else told_rate(container, stream)) or rate
        self.duration = _duration(container, stream)
        tick = ARRIVAL_TICK if wall_clock else stream.time_base or Fraction(1, 1000)
        self.clock = Clock(tick, 1 / (rate or self.rate or DEFAULT_RATE))
        self.damage = DamageLog(name, self.warnings)
        self.error: str | None = None
        # AVI knows decoding times only; what FFmpeg makes of them as presentation times is out of
        # order with B-frames. PyAV hands on a frame with the decoding time of the packet that
        # released it: a true order.
        self.stamp: Literal["pts", "dts"] = "dts" if container.format.name == "avi" else "pts"
        self.sound = next((s for s in container.streams.audio), None)
        self.sound_end = Fraction(0)  # of the sound beside the pictures, s
        self.rotation = 0
        self.matrix = UPRIGHT
        self.size: tuple[int, int] | None = None
        self.coded: tuple[int, int, Any] | None = None  # of which `size` was made
        self.aspect = stream.sample_aspect_ratio  # as the file says; pictures may say another one
        self.coded_aspect = stream.codec_context.sample_aspect_ratio
        self.sent = 0  # packets that went into the decoder
        self.first_stamp: int | None = None  # of the first frame, where its own is none

    def frames(self) -> Iterator[Frame]:
        """Every frame that decodes; what does not goes into `warnings`."""
        decoded = None
        for index, decoded in enumerate(self._decoded()):
            if index == 0:
                self._begin(decoded)
            stamp = self.first_stamp if index == 0 else None
            time = self.clock.stamp(getattr(decoded, self.stamp) if stamp is None else stamp)
            (self.damage.add_damaged if decoded.is_corrupt else self.damage.add_intact)(time)
            if decoded.rotation != self.rotation:
                self.rotation, self.matrix = decoded.rotation, display_matrix(decoded)
            self._set_size(decoded)
            yield Frame(index, float(time), DecodedPicture(decoded, self.matrix, self.size))
        if decoded is not None:
            self._finish(decoded)

    def _begin(self, first: VideoFrame) -> None:
        self.rotation, self.matrix = first.rotation, display_matrix(first)
        self.warnings += frame_dark_warning(self.name, first)
        no_clock = self.container.format.name in CLOCKLESS and not self.wall_clock
        if first.pts is None and first.dts is not None:
            self.stamp = "dts"
        stamp = None if no_clock else getattr(first, self.stamp)
        if stamp is None:
            self._count_frames(stamps=first.pts is not None)
            return
        context, first_picture = self.stream.codec_context, stamp * self.clock.tick
        zero = Fraction(0) if self.wall_clock else player_zero(self.container, first_picture)
        if self.wall_clock:
            self.clock.begin(stamp, Fraction(0))
            self.warnings.append(
                f"{self.name} sends no times: those of arrival were taken; else give --fps"
            )
        elif self.stamp == "dts":  # the packet that released it came later than the frame's own
            begins = (self.stream.start_time or 0) * self.clock.tick
            waited = min(self.sent - 1, MOST_REORDERED) if context.has_b_frames else 0
            self.first_stamp = round((begins + waited * self.clock.step) / self.clock.tick)
            self.clock.begin(self.first_stamp, begins - zero)
        else:
            self.clock.begin(stamp, first_picture - zero)
        if self.given and self.rate and abs(self.given / self.rate - 1) > CLOCK_TOLERANCE:
            self.warnings.append(
                f"{self.name} has times of its own (about {float(self.rate):.4g} frames a second); "
                f"the rate of {float(self.given):g} that was given was not used"
            )

    def _count_frames(self, *, stamps: bool) -> None:
        """No times at all: frames lie at a constant rate, which is told unless it was given.
        stamps: FFmpeg has counted them at a rate of its own."""
        self.clock.ignore_stamps = stamps
        self.rate = self.given or self.rate
        if self.given is None:
            rate = float(self.rate or DEFAULT_RATE)
            self.warnings.append(
                f"{self.name} holds no times: {rate:g} frames a second assumed; else give --fps"
            )

    def _set_size(self, frame: VideoFrame) -> None:
        """The size at which the pixels of a frame are square; it may change within a stream."""
        said = self.stream.codec_context.sample_aspect_ratio
        if said != self.coded_aspect:  # television changes it from one programme to the next
            self.aspect = self.coded_aspect = said
        coded = (frame.width, frame.height, self.aspect)
        if coded != self.coded:
            check_pixels(self.name, frame.width, frame.height)
            aspect = coded[2] and Fraction(coded[2].numerator, coded[2].denominator)
            self.coded, self.size = coded, display_size(frame.width, frame.height, aspect)

    def _decoded(self) -> Iterator[VideoFrame]:
        streams = [self.stream] if self.sound is None else [self.stream, self.sound]
        packets = self.container.demux(*streams)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self.error = ffmpeg_reason(error)
                yield from self._decode(None)
                return
            if packet is None:
                return
            if packet.stream is self.sound:
                self._hear(packet)
            else:
                yield from self._decode(packet)

    def _decode(self, packet: Packet[Any] | None) -> list[VideoFrame]:
        """Frames that come out when `packet` goes in (None: at the end); none if it is damaged."""
        self.sent += packet is not None
        if packet is not None and self.wall_clock:
            stamp_arrival(packet)
        if packet is not None and packet.is_corrupt:
            self.damage.add_damaged(self._packet_time(packet))
        try:
            return self.stream.decode(packet)
        except av.FFmpegError:
            self.damage.add_damaged(self._packet_time(packet))
            return []

    def _packet_time(self, packet: Packet[Any] | None) -> Fraction:
        return self.clock.packet_time(None if packet is None else getattr(packet, self.stamp))

    def _hear(self, packet: Packet[Any]) -> None:
        """Note how far the sound goes; it is not decoded."""
        if packet.pts is not None and packet.time_base is not None:
            end = (packet.pts + (packet.duration or 0)) * Fraction(
                packet.time_base.numerator, packet.time_base.denominator
            )
            self.sound_end = max(self.sound_end, end - self.clock.first_stamp + self.clock.first)

    def _finish(self, last: VideoFrame) -> None:
        for at in self.clock.restarts:
            self.warnings.append(
                f"{self.name}: times start anew at {float(at):.2f} s; they were joined there"
            )
        for at, by in self.clock.leaps:
            self.warnings.append(
                f"{self.name}: times leap by {float(by):.6g} s at {float(at):.2f} s, more than any "
                "recording pauses; they were joined there"
            )
        end = self.clock.end(last.duration * self.clock.tick)
        if self.wall_clock and self.error:  # how such a stream ends, whatever FFmpeg calls it
            self.warnings.append(f"{self.name} sent no more at {float(end):.2f} s")
            self.error = None
        promised = None if self.clock.restarts or self.clock.leaps else self._promised_end()
        short = promised is not None and self.error is None and end + END_TOLERANCE < promised
        if short and self.sound_end + END_TOLERANCE >= (promised or 0):
            self.warnings.append(
                f"{self.name}: the pictures end at {float(end):.2f} s and the sound goes on; "
                "all pictures were used"
            )
            promised = None
        self.damage.finish(end, promised, self.error)

    def _promised_end(self) -> Fraction | None:
        """When the pictures should end (s), as the header says; None where it counts something
        else than this video from its first to its last frame."""
        if self.duration is None or (
            self.stream.duration is None and len(self.container.streams) > 1
        ):
            return None
        # Some headers count from the container's time 0.
        from_first = self.duration - max(Fraction(0), self.clock.first_stamp)
        return self.clock.first + from_first
