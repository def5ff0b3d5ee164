"""What `dev/fuzz.py` gives to fesnet: videos, results, tables and weights that are broken, or odd
in other ways.
"""

from __future__ import annotations

import json
import re
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

import fesnet
from fesnet._io import file_sha256
from fesnet.spotter import Spotter
from fesnet.weights import load_weights

ASSETS = Path(fesnet.__file__).parent / "assets"
FRAMES = 16
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}


@dataclass(frozen=True)
class Input:
    """One broken thing. kind: what reads it; group: how it was broken."""

    kind: str
    group: str
    path: str


# --- videos ---


def face_image(width: int = 160, height: int = 120, t: int = 0, scale: float = 0.7) -> np.ndarray:
    """The bundled portrait, swaying, as (height, width, 3)."""
    photo = np.asarray(cv2.imread(str(ASSETS / "portrait.jpg")))[:, :, ::-1]
    x, y = 150 - 6 * np.sin(t / 7), 40 + 2 * np.cos(t / 5)
    matrix = np.array([[scale, 0, -scale * x + width / 4], [0, scale, -scale * y + height / 12]])
    return np.ascontiguousarray(
        cv2.warpAffine(photo, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    )


def encode(
    path: Path,
    images: list[np.ndarray],
    codec: str = "libx264",
    pixels: str = "yuv420p",
    **more: Any,
) -> Path:
    """Write images at `times` in `unit` (default: one apart, 1/25 s), turned by `turn` degrees."""
    unit = more.get("unit", Fraction(1, 25))
    with av.open(str(path), "w", options=more.get("options", {})) as container:
        stream: Any = container.add_stream(
            codec, rate=more.get("rate", 25), options=more.get("private", {})
        )
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = unit
        if "turn" in more:
            stream.set_display_rotation(more["turn"], hflip=False, vflip=False)
        for place, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = more.get("times", range(len(images)))[place], unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def make_seed_clips(folder: Path) -> list[Path]:
    """Small sound clips in several containers and codecs."""
    images = [face_image(t=t) for t in range(FRAMES)]
    g: dict[str, Any] = {"private": {"g": "6"}}
    return [
        encode(folder / "seed.mp4", images, **g),
        encode(folder / "seed_frag.mp4", images, options=FRAGMENTS, **g),
        encode(folder / "seed.mkv", images, "ffv1", "bgr0"),
        encode(folder / "seed.avi", images, "mpeg4", **g),
        encode(folder / "seed.ts", images, **g),
        encode(folder / "seed.mov", images, "mjpeg", "yuvj420p"),
    ]


def flip_bits(data: bytes, rng: np.random.Generator) -> bytes:
    """1 to 300 bits the other way round."""
    out = bytearray(data)
    for at in rng.integers(len(out) * 8, size=int(10 ** rng.uniform(0, 2.5))):
        out[at // 8] ^= 1 << (at % 8)
    return bytes(out)


def change_header(data: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes of the first or the last part, where containers keep their tables."""
    out = bytearray(data)
    length = min(len(out), 700)
    for _ in range(int(rng.integers(1, 9))):
        at = int(rng.integers(length))
        out[at if rng.random() < 0.5 else -1 - at] = int(rng.integers(256))
    return bytes(out)


def truncate(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(len(data) * rng.random())]


def splice(data: bytes, rng: np.random.Generator) -> bytes:
    """A stretch of noise, zeros, or of another place of the file."""
    a, n = int(rng.integers(len(data))), int(rng.integers(1, max(2, len(data) // 6)))
    piece = (rng.bytes(n), bytes(n), data[n : 2 * n])[int(rng.integers(3))]
    return data[:a] + piece + data[a + n :]


def change_durations(data: bytes, rng: np.random.Generator) -> bytes:
    """Durations and time scales of MP4's headers that are 0, huge, or something else."""
    out = bytearray(data)
    for box in (b"mvhd", b"mdhd", b"tkhd", b"stts", b"elst"):
        for match in re.finditer(box, data):
            if rng.random() < 0.6:
                at = match.end() + 4 * int(rng.integers(2, 7))
                value = [0, 1, 2**31 - 1, 2**32 - 1, int(rng.integers(2**32))][int(rng.integers(5))]
                out[at : at + 4] = struct.pack(">I", value)
    return bytes(out)


MUTATORS: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "bit flips": flip_bits,
    "header": change_header,
    "truncation": truncate,
    "spliced": splice,
}


def mutated_videos(folder: Path, rounds: int) -> Iterator[Input]:
    originals = make_seed_clips(folder)
    for r in range(rounds):
        for n, path in enumerate(originals):
            for m, (group, mutate) in enumerate(MUTATORS.items()):
                rng = np.random.default_rng([r, n, m])
                yield write_input(
                    folder / f"{m}-{r}-{path.name}", mutate(path.read_bytes(), rng), "video", group
                )
        rng = np.random.default_rng([r, 99])
        data = change_durations(originals[0].read_bytes(), rng)
        yield write_input(folder / f"duration-{r}.mp4", data, "video", "wrong duration")


def write_input(path: Path, data: bytes, kind: str, group: str) -> Input:
    path.write_bytes(data)
    return Input(kind, group, str(path))


def odd_videos(folder: Path) -> Iterator[Input]:
    """Whole files with contents that nobody expects."""
    images = [face_image(t=t) for t in range(FRAMES)]
    for name, pixels, codec in (
        ("gray", "gray", "ffv1"),
        ("yuv444p", "yuv444p", "libx264"),
        ("10 bit", "yuv422p10le", "ffv1"),
        ("16 bit", "gbrp16le", "ffv1"),
        ("alpha", "yuva420p", "ffv1"),
        ("rgb24", "rgb24", "png"),
        ("411", "yuv411p", "ffv1"),
        ("rgba", "rgba", "png"),
        ("gray16", "gray16be", "png"),
    ):
        ending = "mov" if codec == "png" else "mkv"
        yield Input(
            "video", "pixel format", str(encode(folder / f"{name}.{ending}", images, codec, pixels))
        )
    sizes = {"1x1": (1, 1), "2x2": (2, 2), "1x999": (1, 999), "999x1": (999, 1), "odd": (159, 121)}
    for name, (w, h) in sizes.items():
        tiny = [np.full((h, w, 3), 30 * i, np.uint8) for i in range(6)]
        yield Input("video", "size", str(encode(folder / f"{name}.mov", tiny, "png", "rgb24")))
    huge = [cv2.resize(face_image(1920, 1080, t, 7), (7680, 4320)) for t in range(2)]
    yield Input("video", "size", str(encode(folder / "8k.mkv", huge, "mjpeg", "yuvj420p")))
    for rate, unit in ((1, Fraction(1)), (1000, Fraction(1, 1000)), (200, Fraction(1, 200))):
        slow = encode(folder / f"{rate}fps.mkv", images, "ffv1", "bgr0", rate=rate, unit=unit)
        yield Input("video", "rate", str(slow))
    times = {
        "repeating": [i // 3 for i in range(FRAMES)],
        "jump": [*range(8), *range(90_000, 90_008)],
        "negative": [i - 9 for i in range(FRAMES)],
        "one long gap": [0, *range(25 * 3600, 25 * 3600 + FRAMES - 1)],
    }
    for name, stamps in times.items():
        for ending, codec, pixels in ((".mkv", "ffv1", "bgr0"), (".mov", "mjpeg", "yuvj420p")):
            try:
                path = encode(folder / f"{name}{ending}", images, codec, pixels, times=stamps)
            except av.FFmpegError:
                continue  # this muxer does not write such a file
            yield Input("video", "times", str(path))
    yield from changing_videos(folder)
    yield from scenes(folder)


def changing_videos(folder: Path) -> Iterator[Input]:
    """Turned, or with other sizes from somewhere on."""
    images, small = (
        [face_image(t=t) for t in range(FRAMES)],
        [face_image(96, 64, t, 0.4) for t in range(8)],
    )
    for degrees in (90, 180, 270):
        yield Input(
            "video", "rotation", str(encode(folder / f"turn{degrees}.mp4", images, turn=degrees))
        )
    parts = [
        encode(folder / "a.ts", images),
        encode(folder / "b.ts", small),
        encode(folder / "c.ts", images),
    ]
    yield write_input(
        folder / "sizes.ts", b"".join(p.read_bytes() for p in parts), "video", "size in mid-stream"
    )
    yield write_input(
        folder / "back.ts",
        parts[1].read_bytes() + parts[0].read_bytes(),
        "video",
        "size in mid-stream",
    )
    raw = [
        encode(folder / f"{n}.h264", x, private={"g": "4"})
        for n, x in (("u", images), ("v", small))
    ]
    yield write_input(
        folder / "sizes.h264",
        raw[0].read_bytes() + raw[1].read_bytes(),
        "video",
        "size in mid-stream",
    )
    yield write_input(folder / "cut.h264", raw[0].read_bytes()[700:], "video", "size in mid-stream")
    turned = [
        encode(folder / f"t{d}.mp4", images, turn=d, options=FRAGMENTS).read_bytes()
        for d in (0, 90)
    ]
    yield write_input(folder / "turns.mp4", turned[0] + turned[1], "video", "rotation")


def scenes(folder: Path) -> Iterator[Input]:
    """Sound files that show something odd."""
    images, grey = [face_image(t=t) for t in range(FRAMES)], np.full((120, 160, 3), 128, np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    shown: dict[str, list[np.ndarray]] = {
        "no face": [np.roll(noise, t, 1) for t in range(FRAMES)],
        "black": [0 * grey] * FRAMES,
        "white": [0 * grey + 255] * FRAMES,
        "upside down": [np.ascontiguousarray(i[::-1, ::-1]) for i in images],
        "one frame": [grey] * 7 + [images[0]] + [grey] * 8,
        "edge": [np.roll(i, 70, 1) for i in images],
        "blinking": [grey if t % 2 else i for t, i in enumerate(images)],
        "one picture": images[:1],
        "two pictures": images[:2],
    }
    for name, pictures in shown.items():
        yield Input("video", "scene", str(encode(folder / f"{name}.mp4", pictures)))
    crowd = [np.tile(face_image(128, 120, t, 0.6), (4, 5, 1)) for t in range(6)]
    yield Input("video all", "20 faces", str(encode(folder / "crowd.mp4", crowd)))
    yield Input("video", "20 faces", str(folder / "crowd.mp4"))


def no_videos(folder: Path) -> Iterator[Input]:
    """What is named like a video and is none."""
    rng = np.random.default_rng(5)
    local = b"/etc/passwd\n"
    data = {
        "empty": b"",
        "zeros": bytes(9999),
        "noise": rng.bytes(50_000),
        "text": b"a text\n" * 99,
        "ftyp": b"\0\0\0\x18ftypmp42",
        "zip": b"PK\x03\x04" + rng.bytes(500),
        "playlist": b"#EXTM3U\n" + local,
        "concat": b"ffconcat version 1.0\nfile " + local,
        "png": cv2.imencode(".png", face_image())[1].tobytes(),
        "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
    }
    for name, text in data.items():
        for ending in (".mp4", ".avi"):
            yield write_input(folder / f"{name}{ending}", text, "video", "no video")
    images = folder / "images"
    images.mkdir()
    for n in range(5):
        (images / f"i{n}.png").write_bytes(
            cv2.imencode(".png", face_image(t=n))[1].tobytes()[: 900 if n == 3 else None]
        )
    yield Input("images", "image folder", str(images))
    mixed = folder / "mixed"
    mixed.mkdir()
    for n, (w, h) in enumerate(((160, 120), (1, 1), (99, 160), (160, 120))):
        (mixed / f"i{n}.png").write_bytes(cv2.imencode(".png", face_image(w, h, n))[1].tobytes())
    yield Input("images", "image folder", str(mixed))


# --- results, tables, weights ---


def broken_values(values: Any, rng: np.random.Generator) -> Any:
    """A JSON value with something in it exchanged, at any depth."""
    others: list[Any] = [
        None,
        -1,
        0,
        1e308,
        2**63,
        "",
        "x",
        [],
        {},
        True,
        -0.5,
        "\ud800",
        float("nan"),
    ]
    if isinstance(values, dict) and values and rng.random() < 0.85:
        key = list(values)[int(rng.integers(len(values)))]
        if rng.random() < 0.1:
            return {k: v for k, v in values.items() if k != key}
        return {**values, key: broken_values(values[key], rng)}
    if isinstance(values, list) and values and rng.random() < 0.85:
        at = int(rng.integers(len(values)))
        return [*values[:at], broken_values(values[at], rng), *values[at + 1 :]]
    if isinstance(values, str) and values and rng.random() < 0.5:
        return flip_bits(values.encode(), rng).decode("latin-1")
    return others[int(rng.integers(len(others)))]


def broken_results(folder: Path, rounds: int) -> Iterator[Input]:
    clip = encode(folder / "sound.mp4", [face_image(t=t) for t in range(FRAMES)])
    Spotter().spot(clip).to_json(folder / "sound.json")
    values = json.loads((folder / "sound.json").read_text())
    gap = {
        "face": 0,
        "start_s": 0.0,
        "stop_s": 0.1,
        "start_frame": 0,
        "stop_frame": 2,
        "reason": "no face",
    }
    times = {
        "onset_s": 0.04,
        "apex_s": 0.08,
        "offset_s": 0.2,
        "onset_frame": 1,
        "apex_frame": 2,
        "offset_frame": 5,
    }
    values["intervals"], values["gaps"] = (
        [{"face": 0, "kind": "macro", "score": 0.5, **times}],
        [gap],
    )
    for r in range(25 * rounds):
        rng = np.random.default_rng([r, 1])
        text = json.dumps(broken_values(values, rng)).encode()
        yield write_input(
            folder / f"result{r}.json",
            flip_bits(text, rng) if r % 4 == 0 else text,
            "result",
            "result",
        )
    for name, data in {
        "deep": b"[" * 99_999,
        "empty": b"",
        "bom": b"\xef\xbb\xbf{}",
        "utf16": "{}".encode("utf-16"),
    }.items():
        yield write_input(folder / f"{name}.json", data, "result", "result")


def broken_tables(folder: Path, rounds: int) -> Iterator[Input]:
    manifest = b"video,subject,fps,faces,micro_threshold\nsound.mp4,P1,25,all,0.4\nb.mp4,P2,,,\n"
    truth = (
        b"video,subject,kind,onset_frame,apex_frame,offset_frame\n"
        + b"sound.mp4,P1,macro,2,4,9\n" * 3
    )
    log = (
        b'{"event": "done", "name": "a", "key": "a.mp4", "path": "/a.mp4", "digest": "d", '
        b'"row": {"frames": 3}}\n'
    )
    rules = b"macro_threshold = 0.4\nexclusive = false\n"
    slots = (
        b'<TIME_SLOT TIME_SLOT_ID="a" TIME_VALUE="80"/>'
        b'<TIME_SLOT TIME_SLOT_ID="b" TIME_VALUE="300"/>'
    )
    mark = b'<ALIGNABLE_ANNOTATION ANNOTATION_ID="x" TIME_SLOT_REF1="a" TIME_SLOT_REF2="b">'
    eaf = (
        b'<?xml version="1.0"?><ANNOTATION_DOCUMENT><HEADER TIME_UNITS="milliseconds"/><TIME_ORDER>'
        + slots
        + b'</TIME_ORDER><TIER TIER_ID="macro" LINGUISTIC_TYPE_REF="t"><ANNOTATION>'
        + mark
        + b"<ANNOTATION_VALUE>m</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>"
        + b"</ANNOTATION_DOCUMENT>"
    )
    kinds = {"manifest": manifest, "truth": truth, "log": log, "rules": rules, "eaf": eaf}
    for kind, text in kinds.items():
        for r in range(8 * rounds):
            rng = np.random.default_rng([r, len(kind)])
            mutate = list(MUTATORS.values())[r % 4]
            yield write_input(folder / f"{kind}{r}.txt", mutate(text, rng), kind, "table")
        for name, data in {
            "nul": bytes(99),
            "wide": b"a," * 99_999,
            "quote": b'"' + b"x" * 200_000,
            "empty": b"",
        }.items():
            yield write_input(folder / f"{kind}-{name}.txt", data, kind, "table")
    layers = b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(5))
    bomb = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + layers + b"]><a>&f;</a>"
    outside = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
    yield write_input(folder / "bomb.txt", bomb, "eaf", "table")
    yield write_input(folder / "outside.txt", outside, "eaf", "table")


def broken_weights(folder: Path, rounds: int) -> Iterator[Input]:
    sound = load_weights().folder
    for r in range(8 * rounds):
        rng = np.random.default_rng([r, 3])
        path = folder / f"w{r}"
        shutil.copytree(sound, path)
        config = json.loads((path / "config.json").read_text())
        names = ["config.json", *config["sha256"]]
        name = names[r % len(names)]
        if name == "config.json" and r % 8 < 4:
            (path / name).write_text(json.dumps(broken_values(config, rng)))
        elif name == "config.json":
            (path / name).write_bytes(flip_bits((path / name).read_bytes(), rng))
        else:
            mutate = list(MUTATORS.values())[r // 4 % 4]
            (path / name).write_bytes(mutate((path / name).read_bytes(), rng))
            config["sha256"][name] = file_sha256(
                path / name
            )  # damaged before it was signed: only the reader can tell
            (path / "config.json").write_text(json.dumps(config))
        yield Input("tensors" if name.endswith("safetensors") else "weights", "weights", str(path))
