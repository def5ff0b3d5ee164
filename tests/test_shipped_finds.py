"""Finds in the forms that published systems ship them in, through the documented commands.

The files are look-alikes: names, columns and quirks as shipped, frames our own.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fesnet.cli import app
from fesnet.errors import FesnetError, TruthError, UsageError
from fesnet.metrics.shipped_finds import lgsnet_epochs, read_lgsnet, read_mdmd
from fesnet.metrics.video_ids import VideoId, VideoIndex, find_video
from test_dataset_variants import book

CODES: list[list[object]] = [["0401", "anger1"], ["0102", "disgust2"], ["0505", "happy3"]]
SUBJECTS: list[list[object]] = [[1, "s15", 1], [2, "s16", 2]]
EVENTS: list[list[object]] = [
    [1, "anger1_1", 100, 110, 139, "4", "negative", "macro-expression", "anger"],
    [1, "anger1_2", 110, 120, 145, "4", "negative", "macro-expression", "anger"],
    [1, "disgust2_1", 50, 55, 61, "4", "negative", "micro-expression", "anger"],
    [2, "happy3_1", 200, 210, 0, "12", "positive", "macro-expression", "joy"],
]
SAMM_HEAD = ["Subject", "Filename", "Inducement Code", "Onset", "Apex", "Offset", "Duration",
             "Type", "Action Units", "Notes"]  # fmt: skip
SAMM_EVENTS = [
    [6, "006_1_1", 1, 100, 150, 299, 200, "Macro", "12", ""],
    [6, "006_1_2", 1, 500, 520, 559, 60, "Micro - 1/2", "12", ""],
    [7, "007_3_1", 1, 10, 20, 99, 90, "Micro - 1/2", "12", ""],
]


@pytest.fixture
def casme2(tmp_path: Path) -> str:
    book(tmp_path / "c" / "CAS(ME)^2code_final(Updated).xlsx",
         {"CASFEcode_final": EVENTS, "naming rule1": SUBJECTS, "naming rule2": CODES})  # fmt: skip
    return f"casme2:{tmp_path / 'c'}"


@pytest.fixture
def samm(tmp_path: Path) -> str:
    rows: list[list[object]] = [["about"], *([[""]] * 8), SAMM_HEAD, *SAMM_EVENTS]  # type: ignore[list-item]
    book(tmp_path / "l" / "SAMM_LongVideos_V2_Release.xlsx", {"FACS_Movement_Only": rows})
    return f"samm:{tmp_path / 'l'}"


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def call(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == 0, done.output + str(done.exception)
    return done.stdout


def counts_of(printed: str) -> dict[str, list[int]]:
    """TP, FP, FN by kind from the table of `fesnet score`."""
    rows = re.findall(r"(macro|micro|overall) *│ *(\d+) *│ *(-?\d+) *│ *(\d+)", printed)
    return {kind: [int(n) for n in numbers] for kind, *numbers in rows}


def test_mdmd_as_shipped(tmp_path: Path, casme2: str, samm: str) -> None:
    """One find of 43 frames reaches two truths; finds of other lengths are dropped."""
    api = tmp_path / "results_API"
    write(api / "ME2_macro_txtClips" / "p1" / "s15_0401.txt", "102 144 1.0", "150 160 1.0")
    write(api / "ME2_macro_txtClips" / "p1" / "s16_0505.txt", "500 600 1.0")
    write(api / "ME2_micro_txtClips" / "p1" / "s15_0102.txt", "50 60 1.0", "80 96 1.0", "7 7 1.0")
    out = tmp_path / "mdmd.csv"
    printed = call("data", "finds", "mdmd", api, "--set", "casme2", "--out", out)
    assert printed.startswith(f"wrote {out} (2 macro, 1 micro)")
    printed = call("score", casme2, out, "--protocol", "mdmd-script")
    assert counts_of(printed) == {"macro": [2, 0, 1], "micro": [1, 0, 0], "overall": [3, 0, 1]}
    assert counts_of(call("score", casme2, out))["macro"] == [1, 1, 2]  # one to one
    write(api / "SAMM_MEGC_macro_txtClips" / "p1" / "006_1.txt", "110 300 1.0", "900 1000 1.0")
    write(api / "SAMM_MEGC_micro_txtClips" / "p1" / "006_1.txt", "500 560 1.0", "10 600 1.0")
    call("data", "finds", "mdmd", api, "--set", "samm", "--out", out)
    printed = call("score", samm, out, "--protocol", "mdmd-script")
    assert counts_of(printed) == {"macro": [1, 0, 0], "micro": [1, 0, 1], "overall": [2, 0, 1]}


def test_the_log_of_mdmd_has_a_section_for_each_data_set(
    tmp_path: Path, casme2: str, samm: str
) -> None:
    log = write(
        tmp_path / "MEGC2020_MDMD_log_file.txt", "1",
        "006_1   100       299     110     300     TP",
        "006_1   500       559     -       -       FN",
        "006_1   -         -       700     804     FP", "2",
        "15_0401   100     139     102     144     TP",
        "15_0401   110     145     102     144     TP",
        "16_0505   -       -       500     515     FP",
    )  # fmt: skip
    out = tmp_path / "log.csv"
    call("data", "finds", "log", log, "--section", "1", "--micro-frames", "105", "--out", out)
    printed = call("score", samm, out, "--protocol", "mdmd-script")
    assert counts_of(printed) == {"macro": [1, 0, 0], "micro": [0, 1, 2], "overall": [1, 1, 2]}
    call("data", "finds", "log", log, "--section", "2", "--out", out)
    printed = call("score", casme2, out, "--protocol", "mdmd-script")
    assert counts_of(printed) == {"macro": [2, -1, 1], "micro": [0, 1, 1], "overall": [2, 0, 2]}
    with pytest.raises(UsageError, match=r"a section out of \[1, 2\] of .*, got 3"):
        raise_of("data", "finds", "log", log, "--section", "3", "--out", out)


def raise_of(*arguments: str | Path) -> None:
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert isinstance(done.exception, FesnetError), done.output
    raise done.exception


@pytest.fixture
def lgsnet(tmp_path: Path) -> Path:
    """Epochs 0 to 6 of two subjects; at epoch 5 all is wrong, at 6 the sure finds are right."""
    folder = tmp_path / "output" / "cas(me)^2_new"
    for epoch in range(7):
        right = epoch == 6
        first = ["15_0401girlcrashing\t101.7\t141.2\t0.9796"] if right else []
        noise = [f"15_0401girlcrashing\t{300 + 9 * n}.1\t{304 + 9 * n}.9\t0.4{9 - n % 5}10"
                 for n in range(20)]  # fmt: skip
        test = f"test_detection/test_{epoch:02d}.txt"
        write(folder / "subject_s15" / test, *first, *noise)
        other = ["16_0505funnyinnovations\t201.2\t229.9\t0.9011"] if right else []
        write(folder / "subject_s16" / test, *other, "16_0505funnyinnovations\t9.0\t9.2\t0.3100")
        (folder / "subject_s15" / "64_train_loss.log").write_text("1")
    return folder


def test_lgsnet_as_shipped(tmp_path: Path, casme2: str, lgsnet: Path) -> None:
    out = tmp_path / "lgsnet.csv"
    printed = call("data", "finds", "lgsnet", lgsnet, "--best", casme2, "--offset", "apex+20",
                   "--out", out)  # fmt: skip
    assert "epoch 6, threshold 0.491 by the truth of the tested subjects" in printed
    assert "F1 1.0000" in printed  # 3 of 4 truths by 2 finds: 2 * 3 / (2 + 4)
    printed = call("score", casme2, out, "--protocol", "lgsnet-script", "--offset", "apex+20")
    assert counts_of(printed)["overall"] == [3, -1, 1]
    call("data", "finds", "lgsnet", lgsnet, "--epoch", "6", "--out", out)
    rows = out.read_text().splitlines()
    assert rows[0] == "video,kind,onset_frame,offset_frame,score"
    assert rows[1] == "15_0401girlcrashing,macro,101,141,0.9796"
    assert len(rows) == 1 + 14 + 2  # 14 of a video at most
    assert lgsnet_epochs(lgsnet) == list(range(7))
    with pytest.raises(UsageError, match="an epoch from 0 to 6, got 9"):
        read_lgsnet(lgsnet, 9)
    with pytest.raises(UsageError, match="--epoch NUMBER or --best TRUTH"):
        raise_of("data", "finds", "lgsnet", lgsnet, "--out", out)


def test_a_log_of_optical_flow_counts_as_listed_and_by_iou(tmp_path: Path) -> None:
    """OF-FD: tabs, a pair below IoU 0.5 listed as found, one above it listed as missed."""
    log = write(
        tmp_path / "samm.txt", "006_1\t100\t299\t110\t300\tTP", "006_1\t500\t559\t540\t620\tTP",
        "007_3\t10\t99\t-\t-\tFN", "007_3\t-\t-\t12\t98\tFP",
    )  # fmt: skip
    printed = call("score", log, log, "--fps", "200")
    assert counts_of(printed)["overall"] == [2, 1, 1]
    assert "samm.txt lists TP 2, FP 1, FN 1: F1 0.6667" in printed


def test_submissions_with_full_names(tmp_path: Path, casme2: str) -> None:
    """TSMSNet and other entries: the form of MEGC 2022 and 2023, names of the frame folders."""
    for head in ("vid,pred_onset,pred_offset,type", "vid,onset,offset,type"):
        found = write(tmp_path / "cas_pred.csv", head, "s15/15_0401girlcrashing,102,144,mae",
                      "15_0102eatingworms,50,60,me", "s16_0505,1,9,me")  # fmt: skip
        counts = counts_of(call("score", casme2, found))
        assert counts == {"macro": [1, 0, 2], "micro": [1, 1, 0], "overall": [2, 1, 2]}


def test_stimulus_codes_are_a_last_resort() -> None:
    known = [VideoId("s15", "s15_0401"), VideoId("s16", "s16_0401")]
    for name in ("15_0401", "s15_0401", "15_0401girlcrashing", "s15/15_0401girlcrashing"):
        assert find_video("", name, VideoIndex(known)) is known[0]
    for name in ("17_0401", "0401"):
        assert find_video("", name, VideoIndex(known)) is None
    both = [VideoId("a", "15_0401a"), VideoId("b", "15_0401b")]
    assert find_video("", "15_0401a", VideoIndex(both)) is both[0]
    assert find_video("", "15_0401", VideoIndex(both)) is None


def test_files_that_are_no_finds(tmp_path: Path) -> None:
    api = tmp_path / "results_API"
    for kind in ("macro", "micro"):
        write(api / f"ME2_{kind}_txtClips" / "p1" / "s15_0401.txt", "102 x 1.0")
    with pytest.raises(TruthError, match=r"an onset, an offset and a score in .* line 1"):
        read_mdmd(api, "casme2")
    with pytest.raises(UsageError, match=r"a .txt file for each video in .*p2"):
        read_mdmd(api, "casme2", run=2)
    with pytest.raises(UsageError, match="a data set out of casme2, samm"):
        read_mdmd(api, "smic")
    with pytest.raises(UsageError, match=r"of all subjects in .*got none"):
        lgsnet_epochs(tmp_path)
