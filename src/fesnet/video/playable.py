"""Which videos a browser shows, and copies of the others: H.264 with its sound, on the same clock.

Phones write HEVC, research cameras AVI: a browser shows a black player and says nothing. So the
format is read from the file before a page opens it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import av
from av.audio.resampler import AudioResampler

from fesnet._io import commit_partial, create_partial
from fesnet.errors import SourceError
from fesnet.video import open_source
from fesnet.video.containers import ffmpeg_reason, open_container, pick_stream, player_zero
from fesnet.video.encode import VideoWriter

Plays = Literal["yes", "ask", "no"]
# What every present browser shows, by container: codecs with 8 bits and 4:2:0.
SHOWN: dict[str, tuple[str, ...]] = {
    "mp4": ("h264", "av1", "vp9"),
    "webm": ("vp8", "vp9", "av1"),
}
ENDINGS: dict[str, str] = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mp4", ".webm": "webm"}
EIGHT_BITS = ("yuv420p", "yuvj420p")
# HEVC is shown by some browsers on some machines: the page asks its own.
ASKED = {"hevc": 'video/mp4; codecs="hvc1.1.6.L120.90"'}
NAMES = {"hevc": "HEVC", "h264": "H.264", "mpeg4": "MPEG-4 Part 2", "mjpeg": "Motion JPEG"}
COPY_RATE = Fraction(30)  # frames a second of a copy if the video states none
COPY_CRF = 20  # looks nearly the same; the copy is for the eyes only
SOUND_RATE = 48_000  # samples a second of a copy's sound
SOUND_HOLE = SOUND_RATE // 10  # samples: a longer hole in the sound stays one


@dataclass(frozen=True)
class BrowserFormat:
    """plays: whether browsers show it ("ask": some do, see `mime`); name: of the format, for
    people; mime: what to ask a browser for."""

    plays: Plays
    name: str
    mime: str = ""

    @property
    def problem(self) -> str:
        """One sentence where not every browser shows it, else empty."""
        if self.plays == "yes":
            return ""
        return f"{self.name} video is shown by {'few' if self.plays == 'ask' else 'no'} browsers"


def browser_format(path: Path) -> BrowserFormat:
    """Whether browsers show this file. Reads its head, decodes nothing. Raises SourceError."""
    if path.is_dir():
        return BrowserFormat("no", "a folder of pictures is no")
    with open_container(str(path.absolute()), path.name, remote=False) as container:
        stream = pick_stream(container, path.name, [])
        context = stream.codec_context
        codec, pixels = context.name, context.pix_fmt or ""
    name = NAMES.get(codec, codec)
    box = ENDINGS.get(path.suffix.lower())
    if box is None:
        return BrowserFormat("no", f"{path.suffix.lstrip('.').upper()} ({name})")
    if codec in ASKED and box == "mp4" and pixels in EIGHT_BITS:
        return BrowserFormat("ask", name, ASKED[codec])
    if codec not in SHOWN[box]:
        return BrowserFormat("no", name)
    if pixels not in EIGHT_BITS:
        return BrowserFormat("no", f"{name} ({pixels})")
    return BrowserFormat("yes", name)


def write_playable(
    source: Path,
    target: Path,
    report: Callable[[float | None], None] = lambda share: None,
    rate: float | None = None,
) -> None:
    """Write an H.264 copy of a video or image folder at a constant rate, with its sound, so that
    each second shows what it shows in the original. report: gets the share that is done; rate:
    frames a second of image folders.

    Raises FesnetError.
    """
    with TemporaryDirectory(prefix=".copy-", dir=target.parent) as folder:
        silent = Path(folder) / "silent.mp4"
        write_pictures(source, silent, report, rate)
        if source.is_file() and has_sound(source):
            add_sound(silent, source, target)
        else:
            silent.replace(target)


def write_pictures(
    source: Path, target: Path, report: Callable[[float | None], None], rate: float | None
) -> None:
    """The pictures alone; each is shown until the next one's time."""
    with open_source(source, rate=rate) as opened:
        shown = min(opened.rate or COPY_RATE, Fraction(60))
        size = (opened.width, opened.height)
        with VideoWriter(target, shown, *size, crf=COPY_CRF) as writer:
            last = None
            for frame in opened:
                while last is not None and writer.count / shown < frame.time - 1e-6:
                    writer.write(last)
                last = frame.image
                if frame.index % 10 == 0:
                    report(min(frame.time / opened.duration, 1.0) if opened.duration else None)
            if last is not None:
                writer.write(last)


def has_sound(path: Path) -> bool:
    """Whether a file holds sound that this FFmpeg decodes. Raises SourceError."""
    with open_container(str(path.absolute()), path.name, remote=False) as container:
        return any(s.codec_context is not None for s in container.streams.audio)


def add_sound(silent: Path, source: Path, target: Path) -> None:
    """Put the sound of `source` beside the pictures of `silent`, atomically. Raises SourceError."""
    part = create_partial(target)
    try:
        with (
            av.open(str(silent)) as pictures,
            open_container(str(source.absolute()), source.name, remote=False) as heard,
            av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as out,
        ):
            video = out.add_stream_from_template(pictures.streams.video[0])
            voice = out.add_stream("aac", SOUND_RATE)
            for packet in pictures.demux(video=0):
                if packet.dts is not None:
                    packet.stream = video
                    out.mux(packet)
            for sound in sound_packets(heard, voice):
                out.mux(sound)
        commit_partial(part, target)
    except av.FFmpegError as error:
        raise SourceError(
            f"cannot copy the sound of {source.name}: {ffmpeg_reason(error)}"
        ) from error
    finally:
        part.unlink(missing_ok=True)


def sound_packets(heard: Any, voice: Any) -> Any:
    """The first sound of a container as AAC, on the clock of a player. Damaged parts are left
    out."""
    zero = float(player_zero(heard))
    turned = AudioResampler("fltp", "stereo", SOUND_RATE, 1024)
    samples: int | None = None  # of the copy so far
    for packet in heard.demux(audio=0):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue
        for frame in frames:
            start = None if frame.time is None else round((frame.time - zero) * SOUND_RATE)
            if samples is None:
                samples = max(start or 0, 0)
            elif start is not None and start - samples > SOUND_HOLE:
                samples = start
            frame.pts = None
            for piece in turned.resample(frame):
                piece.pts, piece.time_base = samples, Fraction(1, SOUND_RATE)
                samples += piece.samples
                yield from voice.encode(piece)
    yield from voice.encode(None)
