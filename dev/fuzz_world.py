"""What `dev/fuzz.py` gives to fesnet beside broken things: files as the world makes them, and files
that somebody made to do harm.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from fuzz_inputs import FRAMES, Input, encode, face_image, write_input

WILD_STAMPS = (1e5, 1e6, 9.9e6, 1e9, 2.0**62 / 1e6)  # s of the last frame
ASPECTS = ("5:16", "8:9", "10:11", "12:11", "16:11", "40:33", "4:3", "64:45", "2:1", "0:1", "999:1")
BOMB_BYTES = 300_000_000


def world_videos(folder: Path) -> Iterator[Input]:
    """Times, shapes and streams that recorders write."""
    images = [face_image(t=t) for t in range(FRAMES)]
    starts = {"late": 40, "early": -9, "very late": 25 * 3600}
    stamps = {name: [first + i for i in range(FRAMES)] for name, first in starts.items()}
    stamps |= {f"hole {s}": [*range(8), *range(8 + 25 * s, 16 + 25 * s)] for s in (1, 60, 7200)}
    stamps |= {f"wild {s:.0e}": [*range(FRAMES - 1), min(int(s * 25), 2**60)] for s in WILD_STAMPS}
    for name, times in stamps.items():
        for ending in (".mkv", ".mov", ".mp4", ".ts"):
            codec, pixels = (
                ("mjpeg", "yuvj420p") if ending in (".mkv", ".mov") else ("libx264", "yuv420p")
            )
            try:
                path = encode(folder / f"{name}{ending}", images, codec, pixels, times=times)
            except (av.FFmpegError, OverflowError):
                continue  # this muxer does not write such a file
            yield Input("video", "world: times", str(path))
    for number, ratio in enumerate(ASPECTS):
        path = shaped(folder / f"aspect{number}.mp4", images, ratio.replace(":", "/"))
        yield Input("video", "world: pixels", str(path))
    yield from several_streams(folder, images)
    yield from clockless_videos(folder, images)


def clockless_videos(folder: Path, images: list[np.ndarray]) -> Iterator[Input]:
    """Pictures in a row without times, and recordings that left some out or were joined."""
    for name, codec in (
        ("raw.h264", "libx264"), ("raw.mjpeg", "mjpeg"), ("raw.m2v", "mpeg2video"),
        ("raw.h263", "h263"), ("raw.m4v", "mpeg4"),
    ):  # fmt: skip
        size = (176, 144) if codec == "h263" else (320, 240)
        shown = [face_image(*size, t) for t in range(FRAMES)]
        pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        path = encode(folder / name, shown, codec, pixels)
        yield Input("video", "world: no times", str(path))
    holes = {"one": [0, *range(30, 29 + FRAMES)], "late": [20 + i for i in range(FRAMES)]}
    for name, times in holes.items():
        for codec, pixels in (("mpeg4", "yuv420p"), ("mjpeg", "yuvj420p")):
            path = encode(folder / f"{name} {codec}.avi", images, codec, pixels, times=times)
            yield Input("video", "world: times", str(path))
    part = encode(folder / "part.ts", images, "mpeg2video", "yuv420p")
    joined = folder / "joined.ts"
    joined.write_bytes(part.read_bytes() * 3)
    yield Input("video", "world: times", str(joined))


def shaped(path: Path, images: list[np.ndarray], ratio: str) -> Path:
    """A clip whose pixels are not square."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(ratio)
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def several_streams(folder: Path, images: list[np.ndarray]) -> Iterator[Input]:
    """Two pictures in one file, the second larger, longer or hardly there."""
    for name, count in (("preview", FRAMES), ("cover", 1), ("empty", 0)):
        path = folder / f"{name}.mkv"
        with av.open(str(path), "w") as container:
            streams: list[Any] = [container.add_stream("mjpeg", rate=25) for _ in range(2)]
            for stream, (width, height) in zip(streams, ((160, 120), (320, 240)), strict=True):
                stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
            for t in range(FRAMES):
                for stream in streams[: 2 if t < count else 1]:
                    picture = face_image(stream.width, stream.height, t)
                    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                    frame.pts = t
                    container.mux(stream.encode(frame))
            for stream in streams:
                container.mux(stream.encode(None))
        yield Input("video", "world: streams", str(path))


def harmful_videos(folder: Path) -> Iterator[Input]:
    """Files that name other files, and pictures that claim gigabytes."""
    neighbour = encode(folder / "neighbour.mp4", [face_image(t=t) for t in range(FRAMES)])
    scripts = {
        "concat": f"ffconcat version 1.0\nfile {neighbour.name}\n",
        "concat absolute": f"ffconcat version 1.0\nfile '{neighbour.resolve()}'\n",
        "hls": f"#EXTM3U\n#EXTINF:1,\n{neighbour.resolve()}\n#EXT-X-ENDLIST\n",
        "hls remote": "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
        "dash": f"<MPD><Period><BaseURL>{neighbour.resolve()}</BaseURL></Period></MPD>",
        "asx": f"<asx><entry><ref href='{neighbour.resolve()}'/></entry></asx>",
        "itself": "ffconcat version 1.0\nfile itself.mp4\n",
    }
    for name, text in scripts.items():
        for ending in (".mp4", ".mkv", ".ts"):
            yield write_input(folder / f"{name}{ending}", text.encode(), "video", "harm: refers")
    for side in (20_000, 30_000, 65_535):
        images = folder / f"huge{side}"
        images.mkdir()
        for number in range(3):
            (images / f"i{number}.png").write_bytes(claimed_png(side))
        yield Input("images", "harm: huge picture", str(images))


def claimed_png(side: int) -> bytes:
    """A small file whose head claims side x side pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    packed = zlib.compress(bytes((side + 1) * 100), 9)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def harmful_results(folder: Path, sound: Path) -> Iterator[Input]:
    """Results of strangers: numbers that no clock shows, sizes that no memory holds, names that
    are code elsewhere."""
    values = json.loads(sound.read_text())
    times = {"onset_s": 0.04, "apex_s": 0.08, "offset_s": 0.2}
    frames = {"onset_frame": 1, "apex_frame": 2, "offset_frame": 5}
    interval = {"face": 0, "kind": "macro", "score": 0.5, **times, **frames}
    wild: dict[str, Any] = {
        f"{key} {number}": {"intervals": [{**interval, key: number}]}
        for key in (*times, *frames, "score", "face")
        for number in (1e308, -1e308, 10**400, -1, True, "1", None)
    }
    source = values["source"]
    bomb = base64.b64encode(zlib.compress(bytes(BOMB_BYTES), 9)).decode()
    wild |= {
        "bomb": {"frame_times_us": bomb},
        "rate": {"source": {**source, "rate": "9" * 400}},
        "rate 1/0": {"source": {**source, "rate": "1/0"}},
        "width": {"source": {**source, "width": -1}},
        "working rate": {"working_rate": 1e300},
        "no checksum": {"source": {**source, "sha256": None, "path": "/etc/passwd"}},
        "endless": {"source": {**source, "sha256": None, "path": "/dev/zero"}},
        "surrogate": {"source": {**source, "name": "\ud800.mp4"}},
        "formula": {"source": {**source, "name": "=1+1.mp4"}},
        "escape": {"source": {**source, "name": "\x1b]0;x\x07.mp4"}},
        "nul": {"source": {**source, "path": "a\0b"}},
    }
    for number, change in enumerate(wild.values()):
        text = json.dumps({**values, **change}).encode()
        yield write_input(folder / f"wild{number}.json", text, "result", "harm: result")


def world_tables(folder: Path) -> Iterator[Input]:
    """Tables as spreadsheets save them, and annotation files of several media."""
    columns = {
        "manifest": (
            ("video", "subject", "fps"),
            (("sound.mp4", "P1", "25"), ("b.mp4", "=P2", "")),
        ),
        "truth": (
            ("video", "subject", "kind", "onset_frame", "apex_frame", "offset_frame", "score"),
            tuple(("sound.mp4", "01", "macro", a, b, c, "0.5") for a, b, c in ("135", "678")),
        ),
    }
    for kind, (heads, rows) in columns.items():
        for name, mark in (("semicolon", ";"), ("tab", "\t"), ("comma", ",")):
            lines = [mark.join(heads), *(mark.join(row) for row in rows), mark * 3, ""]
            text = "\r\n".join(lines)
            comma = text.replace("0.", "0,") if mark != "," else text
            forms = {
                "plain": text.encode(),
                "bom": b"\xef\xbb\xbf" + text.encode(),
                "sep": f"sep={mark}\r\n{text}".encode(),
                "utf16": text.encode("utf-16"),
                "latin": text.replace("P1", "J\xf6rg").encode("latin-1"),
                "decimal comma": comma.encode(),
                "control": text.replace("P1", "P\x1b1").encode(),
                "mixed": text.replace(mark, ";", 2).encode(),
            }
            for form, data in forms.items():
                path = folder / f"{kind} {name} {form}.txt"
                yield write_input(path, data, kind, "world: table")
    yield from elan_files(folder)


def elan_files(folder: Path) -> Iterator[Input]:
    """Media with origins, kinds on child tiers, borders without a time."""
    slots = '<TIME_SLOT TIME_SLOT_ID="a" TIME_VALUE="80"/><TIME_SLOT TIME_SLOT_ID="m"/>'
    slots += '<TIME_SLOT TIME_SLOT_ID="b" TIME_VALUE="300"/>'

    def aligned(first: str, second: str, key: str) -> str:
        return (
            f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="{key}" TIME_SLOT_REF1="{first}" '
            f'TIME_SLOT_REF2="{second}"><ANNOTATION_VALUE>macro</ANNOTATION_VALUE>'
            "</ALIGNABLE_ANNOTATION></ANNOTATION>"
        )

    child = (
        '<TIER TIER_ID="kind" PARENT_REF="macro" LINGUISTIC_TYPE_REF="t"><ANNOTATION>'
        '<REF_ANNOTATION ANNOTATION_ID="r" ANNOTATION_REF="{}"><ANNOTATION_VALUE>micro'
        "</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION></TIER>"
    )
    media = '<MEDIA_DESCRIPTOR MEDIA_URL="file:///{}" MIME_TYPE="video/mp4" {}/>'
    heads = {
        "one": media.format("sound.mp4", 'TIME_ORIGIN="40"'),
        "two": media.format("x.wav", "") + media.format("sound.mp4", 'TIME_ORIGIN="-40"'),
        "odd": media.format("sound.mp4", 'TIME_ORIGIN="much"'),
    }
    bodies = {
        "plain": aligned("a", "b", "x"),
        "parts": aligned("a", "m", "x") + aligned("m", "b", "y"),
        "backwards": aligned("b", "a", "x"),
        "nowhere": aligned("a", "z", "x"),
    }
    for head, descriptor in heads.items():
        for body, marked in bodies.items():
            for reference in ("x", "lost"):
                text = (
                    f'<?xml version="1.0"?><ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds">'
                    f"{descriptor}</HEADER><TIME_ORDER>{slots}</TIME_ORDER>"
                    f'<TIER TIER_ID="macro" LINGUISTIC_TYPE_REF="t">{marked}</TIER>'
                    f"{child.format(reference)}</ANNOTATION_DOCUMENT>"
                )
                path = folder / f"eaf {head} {body} {reference}.txt"
                yield write_input(path, text.encode(), "eaf", "world: ELAN")
