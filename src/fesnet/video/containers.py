"""Open a container with FFmpeg, and choose its stream. Nothing else is read than what was named.

FFmpeg knows formats that are lists of other files (concat, HLS, DASH, SDP), and takes a text for
one whatever its name is. A file from elsewhere could so open its neighbours, or an address. Only
the formats and protocols named here are allowed.
"""

from __future__ import annotations

import os
import re
import select
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from fesnet.errors import SourceError
from fesnet.video.content import is_encrypted, why_no_video

# Names and titles in files may be of any encoding. PyAV 19 dropped the option.
LENIENT_METADATA: dict[str, Any] = (
    {} if int(av.__version__.split(".")[0]) >= 19 else {"metadata_errors": "replace"}
)
# Of a stream address: to connect, and to wait for the next packet (s); a lost camera must not hang
# us.
TIMEOUTS = (10.0, 30.0)
# Demuxers that read the one file they are given: of video, of sound alone (for a message), and of
# single pictures. tty, FFmpeg's view of a text, is refused with a message of its own.
OWN_DATA = (
    "mov", "matroska", "webm", "avi", "mpeg", "mpegts", "mpegtsraw", "mpegvideo", "flv",
    "live_flv", "kux", "asf", "asf_o", "ogg", "mxf", "dv", "gif", "apng", "h261", "h263",
    "h264", "hevc", "vvc", "evc", "apv", "av1", "obu", "ivf", "m4v", "mjpeg", "mjpeg_2000",
    "mpjpeg", "smjpeg", "ingenient", "nut", "wtv", "rm", "dhav", "gxf", "lxf", "lvf",
    "yuv4mpegpipe", "nsv", "vc1", "vc1test", "cavsvideo", "dirac", "dnxhd", "avs", "avs2",
    "avs3", "bink", "smk", "ser", "cine", "mlv", "r3d", "pva", "ty", "film_cpk", "flic",
    "ivr", "nuv", "roq", "swf", "vivo", "xmv", "iv8", "moflex", "jv", "wc3movie", "tty",
    "aac", "ac3", "adts", "aiff", "amr", "ape", "au", "caf", "dsf", "dts", "eac3", "flac",
    "mp3", "oma", "tta", "voc", "w64", "wav", "wv", "image2", "avif", "bmp_pipe", "gif_pipe",
    "j2k_pipe", "jpeg_pipe", "jpegls_pipe", "jpegxl_pipe", "png_pipe", "ppm_pipe", "pgm_pipe",
    "tiff_pipe", "webp_pipe", "webp", "dpx_pipe", "exr_pipe",
)  # fmt: skip
PIPE_WAIT = 5.0  # s
STREAMED = ("rtsp", "rtp", "rtp_mpegts")
PLAYLISTS = {".m3u8": "hls", ".m3u": "hls", ".mpd": "dash"}  # by the ending of an address
NETWORK = (
    "http", "https", "httpproxy", "tcp", "tls", "udp", "udplite", "rtp", "srtp", "rtmp",
    "rtmps", "rtmpt", "rtmpe", "rtmpte", "rtmpts", "rtsp", "srt", "ftp", "crypto",
)  # fmt: skip
PLAYLIST_HEADS = (b"ffconcat", b"#EXTM3U", b"v=0", b"<MPD")
# Formats whose seconds count from the start of the file, for us as for a browser; all others have
# a clock of their own, which begins anywhere (see docs/adr/0060).
OWN_ZERO = ("mov", "matroska", "webm", "ogg")
# Formats without any times: FFmpeg counts frames, 25 a second.
CLOCKLESS = (
    "mpjpeg", "mjpeg", "h261", "h263", "h264", "hevc", "vvc", "m4v", "mjpeg_2000", "obu", "av1",
    "dnxhd", "ingenient", "vc1", "cavsvideo", "dirac", "avs2", "avs3", "evc", "apv",
)  # fmt: skip
# The average rate of these is that of FFmpeg's counting; their own stands in the pictures, if at
# all. Beyond HIGHEST_RATE (frames a second), an average is none (DV: 60000).
COUNTED = (*CLOCKLESS, "mpegvideo")
HIGHEST_RATE = 10_000
# 67 million, four times 4K: a picture that claims more is not read, as each copy takes gigabytes.
MAX_PIXELS = 1 << 26


def open_container(
    location: str, name: str, *, remote: bool, wall_clock: bool = False
) -> InputContainer:
    """Open a file (its absolute path) or a stream address. wall_clock: packets get the time of
    their arrival. Raises SourceError."""
    options = remote_options(location) if remote else local_options()
    if wall_clock:
        options["use_wallclock_as_timestamps"] = "1"
    timeouts = TIMEOUTS if remote else None
    try:
        container: InputContainer = av.open(
            location, "r", timeout=timeouts, options=options, **LENIENT_METADATA
        )
    except (av.FFmpegError, ValueError) as error:
        if is_playlist(location, remote):
            reason = "it is a list of other files; give the video itself"
        elif remote:
            reason = ffmpeg_reason(error)
        else:
            told = f"{ffmpeg_reason(error)}; is it a whole video?"
            reason = why_no_video(Path(location)) or told
        raise SourceError(f"cannot open {name} as a video: {reason}") from error
    if container.format.name == "tty":
        # FFmpeg would show a text file as a video of a terminal.
        container.close()
        reason = why_no_video(Path(location)) or "it is a text file; give a video"
        raise SourceError(f"cannot open {name} as a video: {reason}")
    return container


def local_options() -> dict[str, str]:
    """FFmpeg's options for a file of this machine: itself, and nothing that it names."""
    return {
        "protocol_whitelist": "file",
        "format_whitelist": ",".join(OWN_DATA),
        "pattern_type": "none",  # of single pictures: "img%d.png" is a name like any other
    }


def remote_options(url: str) -> dict[str, str]:
    """FFmpeg's options for an address. A playlist is followed only where the address names one."""
    parts = urlsplit(url)
    if parts.scheme.lower() == "file":
        return local_options()
    asked = PLAYLISTS.get(Path(parts.path).suffix.lower())
    formats = [f for f in OWN_DATA if f != "image2"] + list(STREAMED) + ([asked] if asked else [])
    return {"protocol_whitelist": ",".join(NETWORK), "format_whitelist": ",".join(formats)}


def is_playlist(location: str, remote: bool) -> bool:
    """Whether a file that could not be opened is a list of other files."""
    if remote:
        return False
    try:
        with Path(location).open("rb") as handle:
            head = handle.read(2000) if Path(location).is_file() else b""
    except OSError:
        return False
    head = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(PLAYLIST_HEADS) or (head.startswith(b"<?xml") and b"<MPD" in head)


def ffmpeg_reason(error: Exception) -> str:
    """FFmpeg's own words, one line."""
    return (getattr(error, "strerror", None) or str(error)).splitlines()[0]


def pick_stream(container: InputContainer, name: str, warnings: list[str]) -> VideoStream:
    """The stream that players show: the container's default one, else the one of most pixels;
    never a cover picture or thumbnails. Adds a warning where there were several. Raises
    SourceError.
    """
    streams = [s for s in container.streams.video if not is_cover(s)]
    path = Path(container.name)
    if not streams:
        why = why_no_video(path)
        if why:
            raise SourceError(f"cannot open {name} as a video: {why}")
        raise SourceError(
            f"expected a video, but {name} has no video stream (holds: {kinds_text(container)})"
        )
    chosen = max(streams, key=stream_rank)  # the first of equal ones
    if len(streams) > 1:
        listed = ", ".join(f"{k}: {size_text(s)}" for k, s in enumerate(streams, 1))
        warnings.append(
            f"{name} holds {len(streams)} videos ({listed}); number {streams.index(chosen) + 1} "
            "was used"
        )
    if chosen.codec_context is None:
        why = "this FFmpeg knows no decoder for its codec"
        if is_encrypted(path):
            why = "it is encrypted (DRM); get the video from its owner without encryption"
        raise SourceError(f"cannot decode {name}: {why}")
    check_pixels(name, chosen.codec_context.width, chosen.codec_context.height)
    return chosen


def is_cover(stream: VideoStream) -> bool:
    """Whether a stream is a picture that goes with a file, or a row of thumbnails."""
    flags = stream.disposition
    return bool(flags & (flags.attached_pic | flags.timed_thumbnails | flags.still_image))


def stream_rank(stream: VideoStream) -> tuple[bool, bool, bool, int]:
    """Sorts streams by how likely players show them."""
    flags, context = stream.disposition, stream.codec_context
    pixels = 0 if context is None else context.width * context.height
    return context is not None, not is_single(stream), bool(flags & flags.default), pixels


def is_single(stream: VideoStream) -> bool:
    """Whether a stream holds one picture. Matroska counts none, but most writers tell how long a
    stream is."""
    told = re.fullmatch(r"0+:0+:(\d+(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    rate = stream.average_rate
    return stream.frames == 1 or bool(told and rate and 0 < float(told[1]) * float(rate) < 1.5)


def size_text(stream: VideoStream) -> str:
    context = stream.codec_context
    return "unknown codec" if context is None else f"{context.width} x {context.height}"


def kinds_text(container: InputContainer) -> str:
    return ", ".join(sorted({stream.type for stream in container.streams} - {"video"})) or "nothing"


def check_pixels(name: str, width: int, height: int) -> None:
    """Raises SourceError for a picture that is too large to be read."""
    if width * height > MAX_PIXELS:
        raise SourceError(
            f"cannot read {name}: expected pictures of at most {MAX_PIXELS // 1_000_000} million "
            f"pixels, got {width} x {height}; scale them down"
        )


def told_rate(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Frames a second as the file says, None where it says nothing."""
    average, guessed = stream.average_rate, stream.guessed_rate
    counted = container.format.name in COUNTED
    rate = guessed if guessed and (counted or not average or average > HIGHEST_RATE) else average
    # PyAV 19 has a rational of its own, which prints 30 as 30/1.
    return Fraction(rate.numerator, rate.denominator) if rate else None


def player_zero(container: InputContainer, first_picture: Fraction = Fraction(0)) -> Fraction:
    """The stamp (s) of what a player calls 0: see docs/adr/0060. first_picture: that of it, s; it
    counts where no stream tells its own.

    Files with a zero of their own: that zero, or their first stamp where it lies before it. Other
    formats: the first stamp of any picture or sound.
    """
    starts = [
        s.start_time * Fraction(s.time_base.numerator, s.time_base.denominator)
        for s in container.streams
        if s.type in ("video", "audio") and s.start_time is not None and s.time_base is not None
    ]
    first = min(starts, default=first_picture)
    own = any(name in OWN_ZERO for name in container.format.name.split(","))
    return min(first, Fraction(0)) if own else first


@contextmanager
def written_pipe(path: Path) -> Iterator[None]:
    """Wait until somebody writes into a named pipe, as opening it would wait for ever; other files
    are left alone. Raises SourceError after PIPE_WAIT.
    """
    if not path.is_fifo():
        yield
        return
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not select.select([handle], [], [], PIPE_WAIT)[0]:
            raise SourceError(
                f"cannot open {path.name} as a video: nobody wrote into this pipe for "
                f"{PIPE_WAIT:g} s"
            )
        yield
    finally:
        os.close(handle)
