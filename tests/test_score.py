"""Tables of the field read as intervals, protocols side by side, curves against slow references,
and `fesnet score`.
"""

from __future__ import annotations

import json
import re
from itertools import combinations, pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from fesnet.cli import app
from fesnet.errors import FesnetError, TruthError, UsageError
from fesnet.intervals import Interval
from fesnet.metrics import (
    PROTOCOLS,
    Counts,
    NamedVideo,
    VideoResult,
    agree,
    average_precision,
    count,
    counts_by_iou,
    edge_errors,
    evaluate,
    evaluate_candidates,
    frame_kappa,
    match,
    recognize,
)
from fesnet.metrics.interval_tables import read_intervals
from made_results import made_result

spans = st.tuples(
    st.integers(0, 30), st.integers(1, 20), st.sampled_from(["macro", "micro"]), st.floats(0.1, 1)
)
lists = st.lists(spans.map(lambda s: Interval(s[0], s[0] + s[1], s[2], score=s[3])), max_size=5)  # type: ignore[arg-type]


def fits(t: Interval, f: Interval, iou: float) -> bool:
    a, b = set(range(t.start, t.stop)), set(range(f.start, f.stop))
    return t.kind == f.kind and len(a & b) / len(a | b) >= iou


def largest(truth: list[Interval], found: list[Interval], iou: float) -> int:
    """Size of the largest one-to-one matching, by trying all subsets and orders."""
    for size in range(min(len(truth), len(found)), 0, -1):
        for some in combinations(truth, size):
            for order in permutations(found, size):
                if all(fits(t, f, iou) for t, f in zip(some, order, strict=True)):
                    return size
    return 0


@given(lists, lists, st.sampled_from([0.3, 0.5, 0.7]))
@settings(max_examples=120, deadline=None)
def test_matching_is_the_largest_also_where_intervals_overlap(
    truth: list[Interval], found: list[Interval], iou: float
) -> None:
    pairs = match(truth, found, iou)
    assert len(pairs) == largest(truth, found, iou)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(fits(truth[i], found[j], iou) for i, j in pairs)


@given(lists, lists)
@settings(max_examples=60, deadline=None)
def test_sweep_falls_with_iou_and_counts_add_up(
    truth: list[Interval], found: list[Interval]
) -> None:
    by_iou = [c["overall"] for c in counts_by_iou([(truth, found)]).values()]
    assert all(a.tp >= b.tp for a, b in pairwise(by_iou))
    assert all((c.tp + c.fp, c.tp + c.fn) == (len(found), len(truth)) for c in by_iou)


def slow_average_precision(videos: list[tuple[list[Interval], list[Interval]]]) -> float:
    """By its definition: the mean over recall levels of the best precision at that recall or
    more.
    """
    ranked = sorted(
        ((f.score, v, f) for v, (_, found) in enumerate(videos) for f in found), key=lambda x: -x[0]
    )
    total, points = sum(len(t) for t, _ in videos), []
    taken: set[tuple[int, int]] = set()
    for n, (_, v, f) in enumerate(ranked, 1):
        near = [(t.iou(f), i) for i, t in enumerate(videos[v][0]) if (v, i) not in taken]
        if near and max(near)[0] >= 0.5:
            taken.add((v, max(near)[1]))
        points.append((len(taken) / total, len(taken) / n))
    return float(
        np.mean(
            [
                max((p for r, p in points if r >= (k + 1) / total - 1e-12), default=0)
                for k in range(total)
            ]
        )
    )


@given(st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_average_precision_equals_its_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def some(count: int) -> list[Interval]:
        starts = np.sort(rng.choice(40, count, replace=False)) * 10
        return [
            Interval(int(a), int(a + rng.integers(4, 10)), "macro", score=float(rng.random()))
            for a in starts
        ]

    videos = [(some(4), some(6)) for _ in range(3)]
    assert average_precision(videos, "macro") == pytest.approx(slow_average_precision(videos))
    assert np.isnan(average_precision(videos, "micro"))


def test_edges_are_told_with_their_sign() -> None:
    errors = edge_errors([([Interval(10, 20, "macro")], [Interval(8, 21, "macro")])])
    assert (errors.onset.tolist(), errors.offset.tolist()) == ([-2], [1])
    assert str(errors) == "median onset -2 (|error| 2.0), offset +1 (|error| 1.0) frames"
    assert str(edge_errors([])) == "no matched pair"


def test_kappa_of_frames() -> None:
    one, other = [Interval(0, 50, "macro")], [Interval(25, 75, "macro")]
    assert frame_kappa([(one, one)], [100]) == 1
    assert frame_kappa([(one, other)], [100]) == pytest.approx(0.0)
    assert np.isnan(frame_kappa([((), ())], [10]))
    with pytest.raises(UsageError, match="expected one length"):
        frame_kappa([(one, one)], [])


# --- protocols ---

MACRO, MICRO = Interval(0, 40, "macro"), Interval(100, 112, "micro")


def judged(subject: str, truth: list[Interval], found: list[Interval]) -> VideoResult:
    return VideoResult(subject, f"{subject}_1", tuple(truth), tuple(found), 60.0)


def test_protocols_read_one_result_differently() -> None:
    """A false micro in a video without any counts in one family and not in the other; a wrong kind
    matches in one.
    """
    videos = [
        judged("a", [MACRO], [MACRO, MICRO]),
        judged("b", [MICRO], [MICRO]),
        judged("c", [], [MICRO]),
    ]
    assert evaluate(videos, PROTOCOLS["official"]).counts["micro"] == Counts(1, 2, 0)
    assert evaluate(videos, PROTOCOLS["softnet"]).counts["micro"] == Counts(1, 0, 0)
    wrong = [judged("a", [MACRO], [Interval(0, 40, "micro")])]
    assert evaluate(wrong, PROTOCOLS["official"]).counts["overall"] == Counts(0, 1, 1)
    assert evaluate(wrong, PROTOCOLS["lssnet"]).counts["overall"] == Counts(0, 1, 1)
    assert evaluate(wrong, PROTOCOLS["lgsnet"]).counts["overall"] == Counts(1, 0, 0)


def test_choosing_on_test_subjects_can_only_flatter() -> None:
    rng = np.random.default_rng(0)
    candidates = {}
    for name in "abcdefgh":
        found = [
            [i for i in (MACRO, MICRO, Interval(300, 330, "macro")) if rng.random() < 0.5]
            for _ in range(6)
        ]
        candidates[name] = [judged(f"s{k}", [MACRO, MICRO], found[k]) for k in range(6)]
    honest = max(
        evaluate(v, PROTOCOLS["official"]).counts["overall"].f1 for v in candidates.values()
    )
    per_subject = evaluate_candidates(candidates, PROTOCOLS["abpn"])
    assert per_subject.counts["overall"].f1 > honest
    assert set(per_subject.picked) == {f"s{k}" for k in range(6)}
    per_kind = evaluate_candidates(candidates, PROTOCOLS["lssnet"])
    for kind in ("macro", "micro"):
        assert per_kind.counts[kind].f1 == max(
            evaluate(v, PROTOCOLS["lssnet"]).counts[kind].f1 for v in candidates.values()
        )
    with pytest.raises(UsageError, match="expected one candidate for protocol official, got 8"):
        evaluate_candidates(candidates, PROTOCOLS["official"])
    with pytest.raises(UsageError, match="expected at least one video"):
        evaluate([], PROTOCOLS["official"])


def test_the_interval_holds_the_value() -> None:
    videos = [
        judged(f"s{k}", [MACRO, MICRO], [MACRO] if k % 2 else [MACRO, MICRO]) for k in range(8)
    ]
    read = evaluate(videos, PROTOCOLS["official"])
    low, high = read.interval("overall")
    assert low < read.counts["overall"].f1 < high


# --- files ---


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


FRAMES = "video,kind,onset_frame,offset_frame"
TRUTH = (
    "subject,video,kind,onset_frame,apex_frame,offset_frame",
    "s1,v1.mp4,macro,11,20,50",
    "s1,v1.mp4,micro,101,105,112",
)


def test_every_table_of_the_field_gives_the_same_intervals(tmp_path: Path) -> None:
    wanted = [Interval(10, 50, "macro"), Interval(100, 112, "micro")]
    ours = (
        "video,face,kind,onset_s,apex_s,offset_s,onset_frame,apex_frame,offset_frame,"
        "duration_s,score"
    )
    segments = [
        {"label": "macro", "segment": [10 / 30, 50 / 30]},
        {"label": "micro", "segment": [100 / 30, 112 / 30]},
    ]
    files = [
        write(tmp_path / "truth.csv", *TRUTH),
        write(
            tmp_path / "v1.csv",
            ours,
            "v1.mp4,0,macro,0,0,0,10,20,49,1,1",
            "v1.mp4,0,micro,0,0,0,100,105,111,1,1",
        ),
        write(
            tmp_path / "m22.csv", "vid,pred_onset,pred_offset,type", "v1,11,50,mae", "v1,101,112,me"
        ),
        write(tmp_path / "m23.csv", "vid,onset,offset,type", "v1,11,50,mae", "v1,101,112,me"),
        write(tmp_path / "a.json", json.dumps({"results": {"v1": segments}})),
    ]
    for file in files:
        found = read_intervals(file, rate=30.0)
        assert [f.interval for f in found] == wanted, file.name
        assert {f.video for f in found} == {"v1"}
        assert agree(files[0], file, rate=30.0).evaluate_as("official").counts["overall"] == Counts(
            2, 0, 0
        )


def test_event_free_videos_count(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth.csv", *TRUTH)
    found = write(tmp_path / "found.csv", "vid,onset,offset,type", "v1,11,50,mae", "v2,5,50,mae")
    assert agree(truth, found).evaluate_as("official").counts["overall"] == Counts(1, 1, 1)
    write(
        tmp_path / "videos.csv",
        "subject,video,seconds,frames",
        "s1,v1.mp4,10,300",
        "s2,v2.mp4,20,600",
        "s3,v3.mp4,30,900",
    )
    whole = agree(truth, found)
    assert whole.seconds == 60
    values = whole.to_dict(["official", "softnet"], by_subject=True)
    assert values["protocols"]["official"]["overall"]["false_alarms_a_minute"] == 1
    assert (
        values["protocols"]["softnet"]["overall"]["false_alarms_a_minute"] is None
    )  # not all minutes count there
    assert values["by_subject"]["official"]["s2"]["macro"]["false_alarms_a_minute"] == 3
    assert values["by_subject"]["official"]["s3"]["overall"]["f1"] == 0  # no events, no finds
    assert 0 < values["frame_kappa"] < 1
    assert set(whole.evaluate_as("official").by_subject) == {"s1", "s2", "s3"}


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            ("subject,video,kind,onset_frame,ofset_frame", "s,v,macro,1,2"),
            "expected a column offset_frame in .*ofset_frame",
        ),
        (("vid,onset,offset,typ", "v1,1,2,mae"), "expected a column type"),
        (
            (FRAMES, "v,smile,1,2"),
            "expected kind macro or micro in .* line 2, got 'smile'",
        ),
        (
            (FRAMES, "v,macro,9,2"),
            "expected an onset before its offset in .* got 9 and 2",
        ),
        ((FRAMES, "v,macro,x,2"), "expected a frame number for onset_frame .* got 'x'"),
        (("",), "expected a column video in .* got no columns"),
    ],
)
def test_a_typo_is_told_in_one_line(lines: tuple[str, ...], words: str, tmp_path: Path) -> None:
    with pytest.raises(TruthError, match=words) as caught:
        read_intervals(write(tmp_path / "t.csv", *lines))
    assert "\n" not in str(caught.value)


def test_empty_predictions_missing_and_unknown_videos(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth.csv", *TRUTH)
    write(tmp_path / "videos.csv", "subject,video", "s1,v1.mp4")
    empty = write(tmp_path / "empty.csv", "vid,onset,offset,type")
    agreement = agree(truth, empty)
    assert agreement.evaluate_as("official").counts["overall"] == Counts(0, 0, 2)
    assert agreement.missing == ["v1"]
    stray = write(tmp_path / "stray.csv", "vid,onset,offset,type", "v9,1,9,me")
    with pytest.raises(TruthError, match=r"expected the videos of videos\.csv .* got v9"):
        agree(truth, stray)
    for name, words in (
        ("no.csv", "does not exist"),
        ("a.json", "another JSON file"),
        ("b.json", "something else"),
    ):
        if name != "no.csv":
            (tmp_path / name).write_text("[]" if name == "a.json" else "{")
        with pytest.raises(FesnetError, match=words):
            agree(truth, tmp_path / name)
    (tmp_path / "c.json").write_text('{"results": {}}')
    with pytest.raises(UsageError, match="expected --fps"):
        agree(truth, tmp_path / "c.json")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UsageError, match="expected results"):
        agree(truth, tmp_path / "nothing")


def test_overlapping_kinds_and_fractions(tmp_path: Path) -> None:
    """A micro inside a macro is two intervals, and frames may be fractions in official files."""
    truth = write(tmp_path / "t.csv", TRUTH[0], "s,v,macro,1,5,100", "s,v,micro,40.4,45,50")
    assert [f.interval for f in read_intervals(truth)] == [
        Interval(0, 100, "macro"),
        Interval(39, 50, "micro"),
    ]
    assert count([MACRO, Interval(10, 20, "micro")], [Interval(10, 20, "micro")])[
        "macro"
    ] == Counts(0, 0, 1)


def test_equal_names_of_two_subjects_are_two_videos(tmp_path: Path) -> None:
    """As in CAS(ME)^3, where every subject has a video "a"; dots belong to names."""
    truth = write(
        tmp_path / "truth.csv",
        TRUTH[0],
        "spNO.1,spNO.1/a,macro,1,5,40",
        "spNO.2,spNO.2/a,macro,1,5,40",
    )
    write(
        tmp_path / "videos.csv",
        "subject,video",
        "spNO.1,spNO.1/a",
        "spNO.2,spNO.2/a",
        "spNO.3,spNO.3/a",
    )
    found = write(
        tmp_path / "f.csv", "subject,video,kind,onset_frame,offset_frame", "spNO.1,a.mp4,macro,1,40"
    )
    agreement = agree(truth, found)
    assert [(v.subject, v.video, len(v.found)) for v in agreement.videos] == [
        ("spNO.1", "spNO.1/a", 1),
        ("spNO.2", "spNO.2/a", 0),
        ("spNO.3", "spNO.3/a", 0),
    ]
    bare = write(tmp_path / "bare.csv", FRAMES, "a,macro,1,40")
    with pytest.raises(
        TruthError,
        match=r"which may be spNO.1/a \(subject spNO.1\) or spNO.2/a .* add a column subject",
    ):
        agree(truth, bare)
    other = write(
        tmp_path / "o.csv",
        "subject,video,kind,onset_frame,offset_frame",
        "spNO.9,spNO.1/a,macro,1,40",
    )
    with pytest.raises(TruthError, match=r"got spNO.1/a \(subject spNO.9\)"):
        agree(truth, other)
    (tmp_path / "d").mkdir()
    dots = write(tmp_path / "d" / "t.csv", FRAMES, "rec.1,macro,1,9", "rec.2,macro,1,9")
    assert len(agree(dots, dots).videos) == 2


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("subject,vido", "s,v"), "expected a column video in .*vido"),
        (
            ("subject,video,frames", "s,v,3oo"),
            "expected a number above 0 for frames in .* line 2, got '3oo'",
        ),
        (("subject,video,seconds", "s,v,-1"), "expected a number above 0 for seconds"),
        (
            ("subject,video", "s,v.mp4", "s,v.avi"),
            r"expected each video once in .* got v \(subject s\) again in line 3",
        ),
        (("subject,video", "s,"), "expected the name of a video in .* line 2"),
        (
            ("subject,video,frames", "s,v,20"),
            "expected true intervals within the 20 frames of v .* got one up to 30",
        ),
    ],
)
def test_a_typo_in_the_list_of_videos_is_told(
    lines: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    truth = write(tmp_path / "truth.csv", TRUTH[0], "s,v,macro,1,5,30")
    write(tmp_path / "videos.csv", *lines)
    with pytest.raises(TruthError, match=words):
        agree(truth, truth)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"schema": "fesnet/1"}', "damaged file .KeyError"),
        ('{"results": {"v": [{"label": "macro"}]}}', "damaged file .KeyError"),
        (
            '{"results": {"v": [{"label": "macro", "segment": [0, "x"]}]}}',
            "damaged file .ValueError",
        ),
        (
            '{"results": {"v": [{"label": "macro", "segment": [0, 1e999]}]}}',
            "damaged file .OverflowError",
        ),
        ("[" * 100_000, "expected a table of intervals in .* got something else"),
        ("9" * 5000, "expected a table of intervals in .* got something else"),
    ],
)
def test_damaged_json_is_told(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(TruthError, match=words):
        read_intervals(write(tmp_path / "x.json", text), rate=30)


@pytest.mark.parametrize(
    ("part", "change", "words"),
    [
        ("intervals", {"onset_frame": 1.5}, r"damaged file .TypeError.*frames \(1\.5, 49\)"),
        ("intervals", {"score": 10**400}, "expected a number for the score"),
        (
            "source",
            {"frame_count": "100"},
            "expected frame_count from 0 to 1000000000 in .*, got '100'",
        ),
        ("source", {"frame_count": 10**400}, "expected frame_count from 0"),
        ("source", {"duration_s": float("nan")}, "expected duration_s from 0 .* got nan"),
    ],
)
def test_results_with_impossible_numbers_are_told(
    part: str, change: dict[str, object], words: str, tmp_path: Path
) -> None:
    values = json.loads(made_result([(0, "macro", 10, 20, 49)], name="v1.mp4").to_json())
    (values[part][0] if part == "intervals" else values[part]).update(change)
    found = write(tmp_path / "v1.json", json.dumps(values))
    with pytest.raises(TruthError, match=words) as caught:
        agree(write(tmp_path / "truth.csv", *TRUTH), found)
    assert "\n" not in str(caught.value)


def test_activitynet_files_that_name_their_source(tmp_path: Path) -> None:
    """`source` is of results; elsewhere it may be anything."""
    segments = [{"label": "macro", "segment": [10 / 30, 50 / 30]}]
    found = write(
        tmp_path / "a.json", json.dumps({"results": {"v1": segments}, "source": "a laboratory"})
    )
    assert agree(found, found, rate=30.0).evaluate_as("official").counts["macro"] == Counts(1, 0, 0)


def test_tables_of_another_encoding_are_told(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth.csv", *TRUTH)
    (tmp_path / "videos.csv").write_bytes("subject,video\nMüller,v1.mp4\n".encode("latin-1"))
    with pytest.raises(
        TruthError, match=r"expected a table in UTF-8 in .*videos\.csv, got .*; save it in UTF-8"
    ):
        agree(truth, truth)
    (tmp_path / "t.csv").write_bytes(f"{FRAMES}\nMüller,macro,1,9\n".encode("latin-1"))
    with pytest.raises(
        TruthError, match=r"expected a table in UTF-8 in .*t\.csv, .*; save it in UTF-8"
    ):
        read_intervals(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("v,macro,11,0,1", "0 stands for 'unknown' in official files"),
        ("v,macro,inf,9,1", "expected a frame number for onset_frame"),
        ("v,macro,1,9,nan", "expected a number for the score in .* line 2, got 'nan'"),
        (",macro,1,9,1", "expected the name of a video"),
    ],
)
def test_impossible_rows_are_told(row: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(TruthError, match=words):
        read_intervals(write(tmp_path / "t.csv", f"{FRAMES},score", row))


def test_folders_leave_out_what_holds_no_results(tmp_path: Path) -> None:
    """Exports lie beside results; a folder by `fesnet synth` holds the truth."""
    made_result([(0, "macro", 10, 20, 49)], name="v1.mp4").to_json(tmp_path / "v1.json")
    write(tmp_path / "v1.activitynet.json", '{"results": {}}')
    write(tmp_path / "v1.labelstudio.json", "[]")
    assert [f.interval for f in read_intervals(tmp_path)] == [Interval(10, 50, "macro", score=0.5)]
    write(tmp_path / "truth.csv", *TRUTH)
    assert len(read_intervals(tmp_path)) == 2


def test_results_tell_lengths_and_videos_without_finds(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    for name, frames in (("v1", 301), ("quiet", 601)):
        made_result([], frames, name=f"{name}.mp4").to_json(tmp_path / "results" / f"{name}.json")
    truth = write(tmp_path / "truth.csv", *TRUTH)
    agreement = agree(truth, tmp_path / "results")
    assert [(v.video, v.seconds) for v in agreement.videos] == [("quiet", 20.0), ("v1", 10.0)]
    assert agreement.frames == (601, 301)
    assert agreement.strays == ()


def test_emotions_of_2024_and_names_of_strays(tmp_path: Path) -> None:
    head = "subject,video,onset,offset,emotion"
    truth = write(tmp_path / "t.csv", head, "1,a,1,10,Happy", "1,a,30,40,sad")
    found = write(tmp_path / "f.csv", head, "1,a,1,10,happy", "1,a,30,40,happy", "2,b,1,9,sad")
    agreement = agree(truth, found)
    assert {t.kind for v in agreement.videos for t in v.truth} == {"micro"}
    assert agreement.strays == ("b (subject 2)",)
    values = agreement.to_dict(["official"])
    assert values["strs"]["mended"]["spotting"] == {"tp": 2, "fp": 1, "fn": 0, "f1": 0.8}
    assert values["strs"]["script"]["spotting"]["fp"] == 0
    assert values["frame_kappa"] is None and values["average_precision"]["macro"]["0.5"] is None
    json.dumps(values, allow_nan=False)


def test_edges_in_ms_where_lengths_are_known(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth.csv", *TRUTH)
    found = write(tmp_path / "found.csv", "vid,onset,offset,type", "v1,13,50,mae")
    write(tmp_path / "videos.csv", "subject,video,frames,fps", "s1,v1.mp4,300,25")
    macro = agree(truth, found).to_dict(["official"])["edges"]["macro"]
    assert macro == {
        "onset_frames": [2],
        "offset_frames": [0],
        "onset_ms": [80.0],
        "offset_ms": [0.0],
    }


# --- spotting and recognition ---


def named(
    subject: str, truth: list[tuple[int, int, str]], found: list[tuple[int, int, str]]
) -> NamedVideo:
    sides = (tuple((Interval(a, b, "micro"), e) for a, b, e in side) for side in (truth, found))
    return NamedVideo(subject, *sides)


def test_the_mended_score_of_recognition() -> None:
    """Two emotions: precision 1/2 and 1, recall 1 and 1/2."""
    video = named(
        "a",
        [(0, 9, "x"), (20, 29, "y"), (40, 49, "y")],
        [(0, 9, "x"), (20, 29, "x"), (40, 49, "y")],
    )
    read = recognize([video])
    assert (read.precision, read.recall, read.f1, read.uar) == (0.75, 0.75, 0.75, 0.75)
    assert read.uf1 == pytest.approx(2 / 3)
    assert read.strs == 0.75
    with pytest.raises(UsageError, match="expected emotions in the truth"):
        recognize([named("a", [(0, 9, "")], [])])


def test_each_defect_of_the_script_is_there_by_name_and_mended() -> None:
    one, two = (0, 9, "x"), (20, 29, "y")
    silent = [named("a", [one], [one]), named("b", [one, two], [])]  # a subject without finds
    assert recognize(silent, "script").spotting == Counts(1, 0, 0)
    assert recognize(silent).spotting == Counts(1, 0, 2)
    empty = [
        named("a", [one], [one]),
        named("a", [], [two]),
    ]  # false alarms in a video without truth
    assert recognize(empty, "script").spotting == Counts(1, 0, 0)
    assert recognize(empty).spotting == Counts(1, 1, 0)
    twice = [
        named("a", [(0, 9, "x"), (1, 10, "y")], [(0, 10, "x")])
    ]  # one find takes two true ones
    assert recognize(twice, "script").spotting == Counts(2, 0, 0)
    assert recognize(twice).spotting == Counts(1, 0, 1)
    perfect = [named("a", [one, one], [one, one])]  # one emotion, all right
    assert recognize(perfect, "script").strs == 0
    assert recognize(perfect).strs == 1
    uneven = [named("a", [one, two, (40, 49, "y")], [one, (20, 29, "x"), (40, 49, "x")])]
    assert recognize(uneven, "script").uar == pytest.approx(1 / 6)  # the mean precision
    assert recognize(uneven).uar == 0.5


def test_candidates_must_be_of_the_same_videos() -> None:
    ours, others = [judged("a", [MACRO], [])], [judged("a", [MICRO], [])]
    with pytest.raises(
        UsageError,
        match="expected all candidates to cover the same videos and truth, but k2 and k1",
    ):
        evaluate_candidates({"k1": ours, "k2": others}, PROTOCOLS["abpn"])


def test_the_command(tmp_path: Path) -> None:
    truth = write(tmp_path / "truth.csv", *TRUTH)
    found = write(tmp_path / "found.csv", "vid,onset,offset,type", "v1,11,50,mae")
    run = CliRunner().invoke(app, ["score", str(truth), str(found), "--protocol", "all"])
    assert run.exit_code == 0
    assert all(name in run.output for name in PROTOCOLS)
    assert "0.6667" in run.output
    told = CliRunner().invoke(app, ["score", str(truth), str(found), "--json"])
    assert json.loads(told.output)["protocols"]["official"]["macro"]["f1"] == 1
    rows = CliRunner().invoke(app, ["score", str(truth), str(found), "--by", "subject"])
    assert "s1 overall" in rows.output  # columns are not cut
    assert "onset of matched macro: median +0 frames" in rows.output
    both = CliRunner().invoke(
        app, ["score", str(truth), str(found), "--protocol", "official, softnet", "--json"]
    )
    assert list(json.loads(both.output)["protocols"]) == ["official", "softnet"]
    wrong = CliRunner().invoke(app, ["score", str(truth), str(found), "--protocol", "mine"])
    assert isinstance(wrong.exception, UsageError)


def test_one_subject_has_no_interval_and_one_video_is_one(tmp_path: Path) -> None:
    head = "subject,video,kind,onset_frame,offset_frame"
    for subjects in (1, 2):
        rows = [f"s{n},v{n},macro,{a},{a + 40}" for n in range(subjects) for a in (11, 111)]
        truth = write(tmp_path / "t.csv", head, *rows)
        found = write(tmp_path / "f.csv", head, *rows[1:])
        run = CliRunner().invoke(app, ["score", str(truth), str(found)])
        told = CliRunner().invoke(app, ["score", str(truth), str(found), "--json"])
        spread = json.loads(told.output)["protocols"]["official"]["macro"]["f1_95"]
        assert (spread is None, "0.667-1.000" in run.output) == (
            (subjects == 1),
            (subjects == 2),
        ), run.output
        assert re.search(rf"IoU 0\.5, {'1 video' if subjects == 1 else '2 videos'}\b", run.output)


def test_several_results_of_one_video_are_not_added_up(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    truth = write(tmp_path / "truth.csv", *TRUTH)
    made_result([(0, "macro", 10, 20, 50)], 301, name="v1.mp4").to_json(
        tmp_path / "results" / "v1.json"
    )
    made_result([], 301, name="quiet.mp4").to_json(tmp_path / "results" / "quiet.json")
    assert len(agree(truth, tmp_path / "results").videos) == 2
    for name in ("keen", "strict"):  # the second has found nothing
        found = [(0, "macro", 10, 20, 50)] if name == "keen" else []
        made_result(found, 301, name="v1.mp4").to_json(tmp_path / "results" / f"{name}.json")
    with pytest.raises(
        UsageError, match=r"but v1 is in keen\.json, strict\.json, v1\.json; name one of them"
    ):
        agree(truth, tmp_path / "results")


def test_names_of_subjects_are_shown_as_they_are(tmp_path: Path) -> None:
    """Square brackets are markup to the library that draws the table."""
    truth = write(
        tmp_path / "truth.csv",
        TRUTH[0],
        "s[/1],v1.mp4,macro,11,20,50",
        "s:smile:[b],v2.mp4,macro,1,2,9",
    )
    rows = CliRunner().invoke(app, ["score", str(truth), str(truth), "--by", "subject"])
    assert rows.exit_code == 0, rows.exception
    assert "s[/1] overall" in rows.output and "s:smile:[b] overall" in rows.output
