"""Uses the whole public interface. mypy --strict checks it (see pyproject.toml), a test runs it."""

from __future__ import annotations

from pathlib import Path

import fesnet


def use_everything(video: Path, weights: Path, folder: Path) -> list[str]:
    """One line for each thing that was done."""
    done: list[str] = [fesnet.__version__]
    rules = fesnet.IntervalRules(micro_threshold=0.3)
    result: fesnet.Spotting = fesnet.spot(
        video, weights=weights, runtime="onnx", device="cpu", rules={"micro_threshold": 0.2},
        faces="largest", threads=1, rate=None, progress=False, overlap=True,
    )  # fmt: skip
    first: fesnet.SpottedInterval
    for first in result:
        done.append(f"{first.kind} {first.onset_s:.2f}-{first.offset_s:.2f} {first.score:.2f}")
    gaps: tuple[fesnet.Gap, ...] = result.gaps
    counts: tuple[int, int, float] = (len(result), len(gaps), result.duration_s)
    done.append(f"{counts} {result!r} {len(result._repr_html_())}")
    done.append(str(fesnet.Spotting.load(result.save(folder / "r.json")).rethreshold(rules)))
    written: list[Path] = result.export(["eaf", "vtt"], folder, name="r", year=2023)
    done.append(", ".join(path.name for path in written))
    spans: tuple[fesnet.TimeSpan, ...] = (*result.spans("micro"), *result.spans_without(face=0))
    part: fesnet.Spotting = result.crop(0.0, 0.8, "loose")
    shared: list[float] = [pair.iou for pair in result.overlaps(part, same_kind=False)]
    done.append(f"{len(spans)} {part} {shared} {len(result.union(part))}")
    done.append(f"{sum(span.duration_s for span in spans):.2f}")
    try:
        columns: list[str] = [str(name) for name in result.to_dataframe().columns]
        done.append(f"{columns} {len(result.scores_dataframe())} {len(result.frames_dataframe())}")
        done.append(result.plot(face=0).get_title(loc="left"))
    except fesnet.FesnetError as error:
        done.append(str(error))
    spotter = fesnet.Spotter(weights, faces="all")
    stream: fesnet.SpotStream = spotter.stream()
    with fesnet.open_source(video) as source:
        for frame in source:
            copy = fesnet.Frame(frame.index, frame.time, frame.image)
            done += [f"now {found.kind}" for found in stream.push(copy)]
        done += [f"at the end {found.kind}" for found in stream.end()]
        done.append(str(spotter.result(stream, source)))
    done.append(str(fesnet.Interval(3, 9, "micro").iou(fesnet.Interval(4, 9, "macro"))))
    return done
