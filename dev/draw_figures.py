"""Draw the figures of the documents: `python dev/draw_figures.py` writes docs/images/*.svg."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

from fesnet.config import PRESETS

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 208, 84, 34, 40, 14
STYLE = (
    ".box{fill:#f4f6f8;stroke:#50606e;stroke-width:1.5}"
    ".core{fill:#ffe9c7;stroke:#b36b00}"
    ".end{fill:#e4f1e4;stroke:#3d7a3d}"
    ".name{font-size:15px;font-weight:600;text-anchor:middle;fill:#16202a}"
    ".file{font:11.5px monospace;text-anchor:middle;fill:#24507a}"
    ".what{font-size:12.5px;text-anchor:middle;fill:#33424f}"
    ".way{stroke:#50606e;stroke-width:1.6;fill:none}"
)
TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
    ' orient="auto"><path d="M0 0L8 4L0 8z" fill="#50606e"/></marker></defs>'
)


@dataclass(frozen=True)
class Box:
    """One step: its name, the file or room that does it, what comes out, and its colour."""

    name: str
    file: str
    what: str
    style: str = ""


def inference_seconds(preset: str = "default") -> int:
    """Length of a window of spotting, in whole seconds."""
    config = PRESETS[preset]
    return int(config.inference_window[0] / config.working_rate)


def training_seconds(preset: str = "default") -> str:
    config = PRESETS[preset]
    return f"{config.window / config.working_rate:.1f}"


def corner(row: int, column: int) -> tuple[int, int]:
    """Left upper corner of a box."""
    return MARGIN + column * (WIDTH + GAP_X), MARGIN + row * (HEIGHT + GAP_Y)


def draw_box(box: Box, row: int, column: int) -> list[str]:
    x, y = corner(row, column)
    middle = x + WIDTH // 2
    texts = [("name", box.name, 25), ("file", box.file, 47), ("what", box.what, 69)]
    return [
        f'<rect class="box {box.style}" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
        *(
            f'<text class="{kind}" x="{middle}" y="{y + down}">{escape(text)}</text>'
            for kind, text, down in texts
            if text
        ),
    ]


def draw_arrow(path: str) -> str:
    return f'<path class="way" d="{path}" marker-end="url(#tip)"/>'


def draw_flow(title: str, rows: list[list[Box]]) -> str:
    """Rows of boxes: left to right, then on to the left of the next row."""
    columns = max(map(len, rows))
    width = 2 * MARGIN + columns * WIDTH + (columns - 1) * GAP_X
    height = 2 * MARGIN + len(rows) * HEIGHT + (len(rows) - 1) * GAP_Y
    parts = []
    for r, row in enumerate(rows):
        for c, box in enumerate(row):
            x, y = corner(r, c)
            parts += draw_box(box, r, c)
            if c:
                parts.append(draw_arrow(f"M{x - GAP_X + 3} {y + HEIGHT // 2}h{GAP_X - 7}"))
            elif r:
                last, above = corner(r - 1, len(rows[r - 1]) - 1)
                start, between = above + HEIGHT + 3, y - GAP_Y // 2
                parts.append(
                    draw_arrow(f"M{last + WIDTH // 2} {start}V{between}H{x + WIDTH // 2}V{y - 4}")
                )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
            ' font-family="system-ui, sans-serif" role="img">',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            TIP,
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def how_it_works() -> str:
    return draw_flow(
        "video, faces, windows, model; then intervals, result, report and exports",
        [
            [
                Box("video", "", "frames with their true times"),
                Box("faces", "", "found, upright, held still"),
                Box("windows", "", f"30 Hz, {inference_seconds()} s, overlapping"),
                Box("model", "", "LSDM: changes, MTAM: time", "core"),
            ],
            [
                Box("intervals", "", "onset, apex, offset"),
                Box("result", "", "JSON and CSV, traceable"),
                Box("report, review", "", "look and correct", "end"),
                Box("exports", "", "ELAN, Praat, BORIS, ...", "end"),
            ],
        ],
    )


def way_of_a_frame() -> str:
    return draw_flow(
        "From a frame of a video to an interval, with the file of each step",
        [
            [
                Box("decode", "video/files.py", "Frame: index, time, pixels"),
                Box("sample", "windows.py", "at most 30 frames a second"),
                Box("find and track", "faces/track.py", "box and 468 landmarks"),
                Box("stabilise, align", "faces/stabilize.py, align.py", "Face: crop and mask"),
            ],
            [
                Box("encode", "runtime.py, model/lsdm.py", "features, once per frame", "core"),
                Box("resample", "windows.py", "features at 30 Hz, segments"),
                Box("decode windows", "runtime.py, model/mtam.py", "scores per window", "core"),
                Box("aggregate", "windows.py", "one score per step"),
            ],
            [
                Box("find intervals", "postprocess.py", "kind, onset, apex, offset"),
                Box("emit", "stream.py", "what can no longer change"),
                Box("result", "result.py, result_json.py", "Spotting, NAME.json"),
                Box("show, hand over", "report/ review/ exports/", "page, edits, files", "end"),
            ],
        ],
    )


def way_of_a_training_sample() -> str:
    return draw_flow(
        "From a portrait to weights, with the file of each step",
        [
            [
                Box("portrait", "synth/render/portraits.py", "photo and landmarks"),
                Box("avatar", "synth/render/avatar.py", "landmarks that can move"),
                Box("script", "synth/script/writer.py", "motion and its truth"),
                Box("plan", "synth/render/render_plan.py", "a clip as numbers"),
            ],
            [
                Box("render", "render/avatar_renderer.py", "aligned crops"),
                Box("camera", "synth/render/camera.py", "light, blur, noise, codec"),
                Box("landmarks", "render/landmark_errors.py", "as the model answers"),
                Box("sample", "training/samples.py", "from seed and step alone"),
            ],
            [
                Box("1. pairs", "training/pairs.py", "LSDM sees motion", "core"),
                Box(
                    "2. windows",
                    "training/window_phase.py",
                    f"MTAM, {training_seconds()} s",
                    "core",
                ),
                Box("3. clips", "training/clips.py", "all together", "core"),
                Box("weights", "model/checkpoint.py, export.py", "tensors, two ONNX graphs", "end"),
            ],
        ],
    )


def main() -> None:
    for name, picture in (
        ("how-it-works", how_it_works()),
        ("way-of-a-frame", way_of_a_frame()),
        ("way-of-a-training-sample", way_of_a_training_sample()),
    ):
        (IMAGES / f"{name}.svg").write_text(picture, encoding="utf-8")
        print(f"wrote {IMAGES / name}.svg")


if __name__ == "__main__":
    main()
