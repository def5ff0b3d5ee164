"""What a result can do: loop, tables, files, pictures, and sets of time."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fesnet
from fesnet import Spotting, TimeSpan
from fesnet.errors import MissingExtraError, ResultError, UsageError
from fesnet.exports import export
from fesnet.exports.csv import COLUMNS
from fesnet.interval_algebra import CROPPED, frame_interval
from made_results import ends, made_result, made_results
from test_result import example

FOUND = [(0, "macro", 10, 20, 40), (0, "micro", 60, 62, 70), (0, "macro", 35, 40, 50)]


def test_it_is_a_collection_of_its_intervals() -> None:
    result = made_result(FOUND)
    assert list(result) == list(result.intervals)
    assert len(result) == 3
    assert len(made_result([])) == 0
    assert made_result([]), "no expression is an answer, too"
    assert result.duration_s == result.seconds == pytest.approx(100 / 30)


def test_a_result_is_one_line() -> None:
    text = repr(example())
    assert text == ("<Spotting é & <face>.mp4: 12.0 s, 1 face, 1 macro, 1 micro, 1 gap, 1 warning>")
    assert repr(example().faces[0]) == "<FaceTrack of face 0: 360 steps>"


def test_a_notebook_shows_a_timeline_and_a_table() -> None:
    page = example()._repr_html_()
    assert "<face>" not in page, "names are escaped"
    assert page.count("<rect") == 2 + 2  # two intervals; the gap in both lanes
    assert page.count("<tr>") == 1 + 2
    assert "<script" not in page and "http" not in page
    assert "no expression found" in made_result([])._repr_html_()
    many = made_result([(0, "micro", 5 * n, 5 * n + 1, 5 * n + 2) for n in range(12)])
    assert "and 2 more intervals" in many._repr_html_()


def test_save_and_load_are_mirror_images(tmp_path: Path) -> None:
    result = example()
    path = result.save(tmp_path / "new" / "folder" / "r.json")
    again = Spotting.load(str(path))
    assert again.to_json() == result.to_json()
    assert again.save(tmp_path / "r.json").read_bytes() == path.read_bytes()
    (tmp_path / "r.json").write_text("{}")
    with pytest.raises(ResultError, match="schema"):
        Spotting.load(tmp_path / "r.json")


@pytest.mark.parametrize("formats", ["eaf, VTT", ["eaf", "vtt"], ("eaf", "vtt", "eaf")])
def test_export_writes_at_once(formats: str | list[str], tmp_path: Path) -> None:
    written = made_result(FOUND).export(formats, str(tmp_path / "a" / "b"))
    assert [p.name for p in written] == ["face.eaf", "face.vtt"]
    assert all(p.read_bytes() for p in written)


def test_export_refuses_before_it_writes(tmp_path: Path) -> None:
    result = made_result(FOUND)
    with pytest.raises(UsageError, match="formats out of"):
        result.export("eaf,praat", tmp_path / "no")
    with pytest.raises(UsageError, match="file name without a folder"):
        result.export("eaf", tmp_path / "no", name="../r")
    assert not (tmp_path / "no").exists()
    assert [p.name for p in export(result, ["vtt"], tmp_path, "r")] == ["r.vtt"], "a list at once"


def test_columns_and_types_of_the_interval_table() -> None:
    pytest.importorskip("pandas", reason="needs the extra tables")
    result = made_result(FOUND)
    for table in (result.to_dataframe(), made_result([]).to_dataframe()):
        assert list(table.columns)[: len(COLUMNS)] == list(COLUMNS)
        types = {name: str(kind) for name, kind in table.dtypes.items()}
        assert types["kind"] == "category"
        assert list(table["kind"].cat.categories) == ["macro", "micro"]
        for name in ("face", "onset_frame", "apex_frame", "offset_frame"):
            assert types[name] == "int64"
        for name in ("onset_s", "apex_s", "offset_s", "duration_s", "score"):
            assert types[name] == "float64"
    table = result.to_dataframe()
    assert table["onset_frame"].tolist() == [i.onset_frame for i in result]
    assert table["duration_s"].tolist() == [round(i.offset_s - i.onset_s, 6) for i in result]
    assert set(table["video"]) == {"face.mp4"}


def test_columns_and_types_of_scores_and_frames() -> None:
    pytest.importorskip("pandas", reason="needs the extra tables")
    result = example(fps=200.0)
    scores = result.scores_dataframe()
    assert [str(t) for t in scores.dtypes] == ["int64"] + ["float64"] * 4
    assert len(scores) == 360
    assert scores["macro_score"].isna().sum() == 30
    frames = result.frames_dataframe()
    assert [str(t) for t in frames.dtypes] == [
        *("int64", "int64", "float64", "bool", "float64", "float64", "float64", "bool", "bool")
    ]
    assert len(frames) == len(result.frame_times)
    for i in result:
        inside = frames[frames[i.kind]]
        assert (inside["frame"].min(), inside["frame"].max()) == (i.onset_frame, i.offset_frame)
    assert (~frames["known"]).sum() == pytest.approx(200, abs=7)
    nothing = made_result([])
    assert len(nothing.scores_dataframe()) == 0
    assert not nothing.frames_dataframe()["known"].any()


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("pandas", Spotting.to_dataframe),
        ("pandas", Spotting.scores_dataframe),
        ("pandas", Spotting.frames_dataframe),
        ("matplotlib", Spotting.plot),
    ],
)
def test_a_missing_extra_is_named(
    module: str, call: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=f"expected {module} for .*run pip install"):
        call(example())  # type: ignore[operator]


def test_a_plot_shows_scores_intervals_and_gaps() -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="needs the extra plots")
    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.figure import Figure

    result = example()
    axes = Figure().subplots()
    assert result.plot(axes) is axes
    assert sorted(t.get_text() for t in axes.get_legend().get_texts()) == [
        *("apex", "interval's score", "macro", "micro", "no face", "threshold")
    ]
    bars = [bar.get_segments()[0] for bar in axes.collections if hasattr(bar, "get_segments")]
    assert [bar[0][1] for bar in bars] == [i.score for i in result], "what thresholds choose by"
    assert len(axes.patches) == 3  # two intervals and a gap
    assert axes.get_xlim() == (0, pytest.approx(12))
    made_result(FOUND).plot()
    with pytest.raises(UsageError, match="a face out of 0, got 3"):
        result.plot(face=3)
    pyplot.close("all")


def frames_of(spans: tuple[TimeSpan, ...], times: np.ndarray) -> set[int]:
    """Frames that begin inside any span."""
    return {n for n, t in enumerate(times) if any(s.start_s <= t < s.stop_s for s in spans)}


@settings(max_examples=60, deadline=None)
@given(made_results())
def test_spans_are_the_frames_of_the_intervals(result: Spotting) -> None:
    whole = {f for i in result for f in range(i.onset_frame, i.offset_frame + 1)}
    assert frames_of(result.spans(), result.frame_times) == whole
    rest = frames_of(result.spans_without(), result.frame_times)
    assert rest == set(range(len(result.frame_times))) - whole
    for kind in ("macro", "micro"):
        some = {
            f for i in result if i.kind == kind for f in range(i.onset_frame, i.offset_frame + 1)
        }
        assert frames_of(result.spans(kind), result.frame_times) == some
    for a, b in zip(result.spans(), result.spans()[1:], strict=False):
        assert a.stop_s < b.start_s, "joined and sorted"
    total = sum(s.duration_s for s in (*result.spans(), *result.spans_without()))
    assert total == pytest.approx(ends(result)[-1] - result.frame_times[0], abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(made_results(), st.floats(0, 20), st.floats(0.01, 20))
def test_a_crop_is_what_lies_inside(result: Spotting, start: float, length: float) -> None:
    inside = [n for n, t in enumerate(result.frame_times) if start <= t < start + length]
    if not inside:
        with pytest.raises(UsageError, match="a time span with a frame"):
            result.crop(start, start + length)
        return
    cut, loose, strict = (
        result.crop(start, start + length, mode)
        for mode in ("intersection", "loose", "strict")  # type: ignore[arg-type]
    )
    assert list(loose) == [
        i for i in result if i.onset_frame <= inside[-1] and i.offset_frame >= inside[0]
    ]
    assert list(strict) == [
        i for i in result if inside[0] <= i.onset_frame and i.offset_frame <= inside[-1]
    ]
    assert [(i.onset_frame, i.offset_frame) for i in cut] == [
        (max(i.onset_frame, inside[0]), min(i.offset_frame, inside[-1])) for i in loose
    ]
    for i in cut:
        assert i.onset_frame <= i.apex_frame <= i.offset_frame
        assert i.onset_s == round(float(result.frame_times[i.onset_frame]), 6)


def test_a_crop_knows_nothing_outside_and_stays_a_result(tmp_path: Path) -> None:
    result = example()
    part = result.crop(2.5, 9.5)
    assert part.known_seconds == pytest.approx(6.5, abs=0.04)  # half a second of it has no face
    assert [(g.reason, g.start_frame, g.stop_frame) for g in part.gaps] == [
        (CROPPED, 0, 74),
        (CROPPED, 270, 359),
    ]
    assert Spotting.load(part.save(tmp_path / "part.json")).to_json() == part.to_json()
    assert part.rethreshold({"micro_threshold": 0.99}).intervals[0].onset_frame == 75
    with pytest.raises(UsageError, match="mode 'intersection', 'loose' or 'strict'"):
        result.crop(0, 1, "exact")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="ends after it starts"):
        result.crop(3, 3)


@settings(max_examples=60, deadline=None)
@given(made_results(), st.data())
def test_union_and_overlaps_follow_the_frames(one: Spotting, data: st.DataObject) -> None:
    count = len(one.frame_times)
    found = []
    for _ in range(data.draw(st.integers(0, 5))):
        frames = sorted(data.draw(st.tuples(*[st.integers(0, count - 1)] * 3)))
        found.append((data.draw(st.integers(0, 2)), data.draw(st.sampled_from(["macro", "micro"]))))
        found[-1] += tuple(frames)
    other = made_result(found, one.frame_times)
    union = one.union(other)
    for face, kind in {(i.face, i.kind) for i in (*one, *other)}:
        both = [i for i in (*one, *other) if (i.face, i.kind) == (face, kind)]
        frames = {f for i in both for f in range(i.onset_frame, i.offset_frame + 1)}
        own = [i for i in union if (i.face, i.kind) == (face, kind)]
        assert {f for i in own for f in range(i.onset_frame, i.offset_frame + 1)} == frames
        assert sum(i.offset_frame - i.onset_frame + 1 for i in own) == len(frames), "disjoint"
    pairs = [(o.own, o.other) for o in one.overlaps(other, same_kind=False)]
    assert pairs == [
        (a, b)
        for a in one
        for b in other
        if a.face == b.face and frame_interval(a).overlap(frame_interval(b))
    ]
    assert all(o.shared_s > 0 and 0 < o.iou <= 1 for o in one.overlaps(other))
    assert all(o.own.kind == o.other.kind for o in one.overlaps(other))


def test_results_of_other_videos_are_not_mixed() -> None:
    with pytest.raises(UsageError, match="two results of one video"):
        made_result(FOUND).union(made_result(FOUND, 101))
    with pytest.raises(UsageError, match="kind 'macro', 'micro' or None"):
        made_result(FOUND).spans("mikro")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"weigths": "x"}, TypeError, "weigths"),
        ({"faces": "biggest"}, UsageError, "faces 'largest' or 'all'"),
        ({"runtime": "tensorflow"}, UsageError, "runtime 'onnx' or 'torch'"),
        ({"device": "gpu"}, UsageError, "a device out of auto, cpu, cuda"),
        ({"threads": 0}, UsageError, "1 thread or more"),
        ({"rules": {"mikro_threshold": 0.4}}, UsageError, "mikro_threshold"),
    ],
)
def test_wrong_options_of_spot_are_refused(
    options: dict[str, object], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        fesnet.spot(np.zeros((2, 8, 8), np.uint8), **options)  # type: ignore[arg-type]


def test_progress_is_a_function_or_a_bar(
    tiny_weights: Path,
    face_models: object,
    face_frames: list[np.ndarray],
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls: list[int] = []
    frames = np.stack(face_frames[:12])
    spotter = fesnet.Spotter(tiny_weights)
    assert repr(spotter).startswith("<Spotter tiny: onnxruntime ")
    spotter.spot(frames, rate=25, progress=lambda frame, source: calls.append(frame.index))
    assert calls == list(range(12))
    one = spotter.spot(frames, rate=25, progress=True)
    assert capsys.readouterr().err == "", "no bar where there is no terminal"
    assert one.to_json() == fesnet.spot(frames, weights=tiny_weights, rate=25).to_json()


def test_threads_share_a_spotter(
    tiny_weights: Path, face_models: object, face_frames: list[np.ndarray]
) -> None:
    spotter = fesnet.Spotter(tiny_weights)
    frames = np.stack(face_frames[:20])
    alone, together = spotter.spot(frames, rate=25).to_json(), []
    threads = [
        threading.Thread(target=lambda: together.append(spotter.spot(frames, rate=25).to_json()))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == [alone] * 3
