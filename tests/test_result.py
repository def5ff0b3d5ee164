"""The result: packing, round trips, rethresholding, gaps, damaged files."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fesnet._io import atomic_write_text
from fesnet.errors import ResultError, UsageError
from fesnet.exports import WRITERS
from fesnet.postprocess import IntervalRules
from fesnet.result import FaceTrack, SourceInfo, Spotting, assemble
from fesnet.result_json import pack_array

RATE = 30.0


def example(rules: IntervalRules | None = None, fps: float = 30.0) -> Spotting:
    """A made-up result: 12 s with a macro, a micro, and a second in which the face is unknown."""
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 0.1, (360, 2)).astype(np.float32)
    scores[60:120, 0] = rng.uniform(0.6, 0.9, 60)
    scores[200:210, 1] = 0.7
    scores[270:300] = np.nan
    strength = np.where(np.isnan(scores[:, 0]), np.nan, scores.sum(1)).astype(np.float32)
    track = FaceTrack(0, np.arange(360) / RATE, scores, strength)
    times = np.arange(round(12 * fps)) / fps
    source = SourceInfo(
        "é & <face>.mp4", "videos/face.mp4", "0" * 64, 640, 480, "30", len(times), 12.0
    )
    facts = {"fesnet": "0", "weights": "none", "weights_sha256": "1", "trained_on": "nothing"}
    return assemble(
        source,
        (track,),
        times,
        RATE,
        rules or IntervalRules(),
        warnings=("a <warning>",),
        provenance=facts,
    )


def test_example_has_what_was_put_in() -> None:
    found = example()
    assert [(i.kind, i.onset_frame, i.offset_frame) for i in found.intervals] == [
        ("macro", 60, 119),
        ("micro", 200, 209),
    ]
    assert [(g.start_frame, g.stop_frame, g.reason) for g in found.gaps] == [(270, 299, "no face")]
    macro = found.intervals[0]
    assert macro.onset_s == pytest.approx(2.0)
    assert macro.onset_frame <= macro.apex_frame <= macro.offset_frame


def test_frames_are_those_of_the_source_not_of_the_working_rate() -> None:
    macro, micro = example(fps=200.0).intervals
    assert macro.onset_frame == pytest.approx(400, abs=4)
    assert micro.offset_frame == pytest.approx(1393, abs=4)
    assert micro.offset_s == pytest.approx(micro.offset_frame / 200)


def test_json_round_trip_is_byte_for_byte(tmp_path: Path) -> None:
    found, path = example(), tmp_path / "r.json"
    text = found.to_json(path)
    again = Spotting.from_json(path)
    assert again.to_json() == text
    assert again.intervals == found.intervals
    np.testing.assert_array_equal(
        again.faces[0].scores, found.faces[0].scores
    )  # not only close: rules may lie between
    np.testing.assert_array_equal(again.faces[0].intensity, found.faces[0].intensity)
    np.testing.assert_array_equal(again.frame_times, found.frame_times)
    assert json.loads(text)["schema"] == "fesnet/1"
    assert set(json.loads(text)["intervals"][0]) == {
        *(
            "face",
            "kind",
            "onset_s",
            "apex_s",
            "offset_s",
            "onset_frame",
            "apex_frame",
            "offset_frame",
            "score",
        )
    }


def test_stored_scores_are_close_and_unknown_stays_unknown() -> None:
    track = example().faces[0]
    assert np.isnan(track.scores[270:300]).all()
    assert np.isfinite(track.scores[:270]).all()
    assert track.scores[205, 1] == pytest.approx(0.7, abs=1e-5)


def test_rethreshold_equals_spotting_with_those_rules(tmp_path: Path) -> None:
    strict = IntervalRules(micro_threshold=0.95, macro_threshold=0.8)
    example().to_json(tmp_path / "r.json")
    again = Spotting.from_json(tmp_path / "r.json").rethreshold(strict)
    assert again.intervals == example(strict).intervals
    assert [i.kind for i in again.intervals] == ["macro"]
    assert again.rules == strict


def test_rethreshold_by_a_dictionary_keeps_the_other_rules() -> None:
    own = IntervalRules(macro_threshold=0.8, macro_max_s=5.0)
    found = example(own).rethreshold({"micro_threshold": 0.95})
    assert found.rules == replace(own.anchored(), micro_threshold=0.95)
    assert found.intervals == example(found.rules).intervals


def test_a_path_may_be_text(tmp_path: Path) -> None:
    example().to_json(str(tmp_path / "r.json"))
    assert Spotting.from_json(str(tmp_path / "r.json")).intervals == example().intervals


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a result of `fesnet spot --out`"),
        ("{]", "expected a result of `fesnet spot --out`"),
        ("[1]", "expected a result of schema fesnet/1 .* got None"),
        ('{"schema": "fesnet/99"}', "got 'fesnet/99'"),
        ('{"schema": "fesnet/1"}', "expected a whole result"),
    ],
)
def test_damaged_files_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(ResultError, match=message):
        Spotting.from_json(path)


def test_damaged_scores_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    values = json.loads(example().to_json())
    values["faces"][0]["scores"] = values["faces"][0]["scores"][:40]
    path.write_text(json.dumps(values))
    with pytest.raises(ResultError, match="damaged"):
        Spotting.from_json(path)


KEYS = list(json.loads(example().to_json()))


@pytest.mark.parametrize("key", [k for k in KEYS if k not in ("warnings", "provenance", "frames")])
@pytest.mark.parametrize("value", [None, 0, -3, "x", [], [1], {"x": 1}])
def test_strange_values_are_refused_or_read(key: str, value: object, tmp_path: Path) -> None:
    """Whatever stands in the file: a result or a ResultError, nothing else."""
    values = json.loads(example().to_json())
    values[key] = value
    path = tmp_path / "r.json"
    path.write_text(json.dumps(values))
    if value == [] and key in ("intervals", "gaps", "faces"):
        assert Spotting.from_json(path).source.width == 640
    else:
        with pytest.raises(ResultError, match="expected a"):
            Spotting.from_json(path)


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("working_rate",), 0),
        (("warnings",), "abc"),
        (("provenance",), None),
        (("faces",), {}),
        (("rules",), []),
        (("frames",), 7),
        (("working_rate",), 10**400),
        (("rules", "macro_threshold"), 10**400),
        (("source", "duration_s"), 10**400),
        (("faces", 0, "ticks"), 0),
        (("faces", 0, "ticks"), -1),
        (("faces", 0, "ticks"), 10**13),
        (("intervals", 0, "kind"), "tiny"),
        (("intervals", 0, "onset_frame"), 999),
    ],
)
def test_impossible_values_are_refused(
    keys: tuple[str | int, ...], value: object, tmp_path: Path
) -> None:
    path, values = tmp_path / "r.json", json.loads(example().to_json())
    inner = values
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(values))
    with pytest.raises(ResultError, match="damaged"):
        Spotting.from_json(path)


def test_a_face_without_ticks_and_no_frames_are_refused(tmp_path: Path) -> None:
    path, values = tmp_path / "r.json", json.loads(example().to_json())
    nothing = pack_array(np.zeros(0, "<u8"))
    for change in ({"frames": 0, "frame_times_us": nothing, "intervals": [], "gaps": []},
                   {"faces": [{"face": 0, "ticks": 0, "scores": nothing}]}):  # fmt: skip
        path.write_text(json.dumps(values | change))
        with pytest.raises(ResultError, match=r"expected a whole result in .*, but it is damaged"):
            Spotting.from_json(path)


def test_a_path_that_does_not_exist_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError,
        match=r"expected a result of `fesnet spot --out`, but .*gone\.json does not exist",
    ):
        Spotting.from_json(tmp_path / "gone.json")


def test_endless_nesting_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("[" * 100_000)
    with pytest.raises(ResultError, match="expected a result"):
        Spotting.from_json(tmp_path / "r.json")


def test_a_late_first_frame_keeps_its_time_and_so_does_a_long_pause(tmp_path: Path) -> None:
    found = example()
    times = np.concatenate([found.frame_times[45:], [9000.0]])
    late = assemble(found.source, found.faces, times, RATE, found.rules, warnings=(), provenance={})
    assert late.intervals[0].onset_frame == 15
    assert late.intervals[0].onset_s == pytest.approx(2.0)
    late.to_json(tmp_path / "r.json")
    assert Spotting.from_json(tmp_path / "r.json").frame_times == pytest.approx(times)


@pytest.mark.parametrize("times", [[0.0, 0.2, 0.1], [-0.1, 0.0, 0.1]])
def test_times_that_fall_are_refused(times: list[float]) -> None:
    found = example()
    with pytest.raises(UsageError, match="expected frame times of 0 s or more that never fall"):
        assemble(found.source, (), np.array(times), RATE, found.rules, warnings=(), provenance={})


def test_no_face_at_all_is_one_gap() -> None:
    found = example()
    none = assemble(
        found.source, (), found.frame_times, RATE, found.rules, warnings=(), provenance={}
    )
    assert none.intervals == ()
    assert [(g.start_frame, g.stop_frame) for g in none.gaps] == [(0, 359)]


def test_csv_has_the_promised_columns(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    WRITERS["csv"](example(), path)
    header = (
        "video,face,kind,onset_s,apex_s,offset_s,onset_frame,apex_frame,offset_frame,"
        "duration_s,score,moved,flags"
    )
    assert path.read_text(encoding="utf-8").splitlines()[0] == header
    with path.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [(r["video"], r["kind"], int(r["onset_frame"])) for r in rows] == [
        ("é & <face>.mp4", "macro", 60),
        ("é & <face>.mp4", "micro", 200),
    ]
    assert float(rows[0]["duration_s"]) == pytest.approx(
        float(rows[0]["offset_s"]) - float(rows[0]["onset_s"])
    )


def test_a_carriage_return_in_a_name_does_not_end_the_row(tmp_path: Path) -> None:
    found = example()
    WRITERS["csv"](
        replace(found, source=replace(found.source, name="a\rb.mp4")), tmp_path / "r.csv"
    )
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as handle:
        assert [row["video"] for row in csv.DictReader(handle)] == ["a\\x0db.mp4"] * 2


def test_json_writer_writes_the_result(tmp_path: Path) -> None:
    WRITERS["json"](example(), tmp_path / "r.json")
    assert Spotting.from_json(tmp_path / "r.json").intervals == example().intervals


def test_files_appear_whole_or_not_at_all(tmp_path: Path) -> None:
    atomic_write_text(tmp_path / "a.txt", "one")
    atomic_write_text(tmp_path / "a.txt", "two")
    assert (tmp_path / "a.txt").read_text() == "two"
    with pytest.raises(UsageError, match=r"expected to write .*; name a writable folder"):
        atomic_write_text(tmp_path / "missing" / "a.txt", "three")
    with pytest.raises(AttributeError):
        atomic_write_text(tmp_path / "a.txt", None)  # type: ignore[arg-type]
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "two"
    atomic_write_text(tmp_path / "a.txt", '"\ud800"')  # of a file name that is no UTF-8: still JSON
    assert json.loads((tmp_path / "a.txt").read_text()) == "\ud800"
