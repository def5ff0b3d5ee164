"""Whatever stands at the path of a table, of annotations or of settings: one line, and at once."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import pytest

from fesnet._io import LARGEST_SETTINGS, read_regular_file, resolve_path
from fesnet.batch import override_rules, read_manifest
from fesnet.cli.config_file import read_config_files
from fesnet.datasets.sheets import read_workbook
from fesnet.errors import FesnetError, TruthError
from fesnet.evaluation.challenge_files import write_answers
from fesnet.exports.annotations import read_annotations
from fesnet.metrics.challenge_log import read_challenge_log
from fesnet.metrics.interval_tables import read_intervals
from fesnet.metrics.shipped_finds import parse_find, read_lines
from fesnet.metrics.video_ids import read_video_table
from fesnet.postprocess import IntervalRules
from fesnet.result import Spotting
from fesnet.review.review_file import read_review
from fesnet.study.markers import read_markers
from fesnet.synth.videos.footage_tracks import read_masks
from fesnet.training.config import read_config
from fesnet.video.folder import read_image
from fesnet.weights import bundled_weights, load_weights


def read_settings(path: Path) -> object:
    os.environ["FESNET_CONFIG"] = str(path)
    return read_config_files()


def read_weights(path: Path) -> object:
    folder = path.with_name("weights")
    shutil.copytree(bundled_weights(), folder)
    (folder / "config.json").unlink()
    path.rename(folder / "config.json")
    return load_weights(folder)


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "manifest": (".csv", read_manifest),
    "manifest of a spreadsheet": (".xlsx", read_manifest),
    "markers": (".csv", read_markers),
    "rules": (".toml", lambda p: override_rules(IntervalRules(), p, {})),
    "settings": (".toml", read_settings),
    "training settings": (".toml", lambda p: read_config(p, {})),
    "intervals": (".csv", read_intervals),
    "intervals as JSON": (".json", read_intervals),
    "videos": (".csv", read_video_table),
    "log": (".log", read_challenge_log),
    "finds": (".txt", lambda p: [parse_find(cells, where) for where, cells in read_lines(p)]),
    "questions": (".jsonl", lambda p: write_answers(p.parent, p, p.with_suffix(".out"))),
    "ELAN": (".eaf", read_annotations),
    "Praat": (".TextGrid", read_annotations),
    "BORIS": (".boris", read_annotations),
    "annotations": (".csv", read_annotations),
    "result": (".json", Spotting.from_json),
    "review": (".json", read_review),
    "masks": (".csv", lambda p: read_masks(p, p.parent)),
    "official table": (".xlsx", read_workbook),
    "image": (".png", read_image),
    "weights": (".json", read_weights),
}


def make_sparse(path: Path) -> None:
    with path.open("wb") as handle:
        handle.truncate(4_000_000_000)


PLACES: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "device without an end": lambda p: p.symlink_to("/dev/zero"),
    "link to itself": lambda p: p.symlink_to(p.name),
    "link to nothing": lambda p: p.symlink_to("nothing"),
    "folder": Path.mkdir,
    "4 GB": make_sparse,
    "zeros": lambda p: p.write_bytes(bytes(3000)),
    "one line": lambda p: p.write_bytes(b"a," * 2_000_000),
    "nested": lambda p: p.write_bytes(b"[" * 200_000),
    "half a letter": lambda p: p.write_bytes(b"\xff\xfe\x00\xd8\x00"),
}


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What waits for a pipe waits for ever: a signal ends it. What reads a device without an end
    takes all memory: 3 GB are given."""

    def stop(*_: object) -> None:
        raise TimeoutError("it hangs")

    monkeypatch.setenv("FESNET_CONFIG", "")
    before = signal.signal(signal.SIGALRM, stop)
    most = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 3 * 10**9, most[1]))
    signal.alarm(120)
    yield
    signal.alarm(0)
    resource.setrlimit(resource.RLIMIT_AS, most)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("name", READERS)
def test_every_reader_answers_by_one_line(name: str, tmp_path: Path) -> None:
    ending, reader = READERS[name]
    for number, (what, make) in enumerate(PLACES.items()):
        path = tmp_path / str(number) / f"x{ending}"
        path.parent.mkdir()
        make(path)
        with pytest.raises(FesnetError) as caught:
            reader(path)
            pytest.fail(f"{name}: {what} was read")
        line = str(caught.value)
        assert line.strip() and "\n" not in line, f"{name}: {what}"
        if what in ("pipe", "device without an end") and name != "weights":
            assert "does not exist" not in line, f"{name}: {what}"


def test_a_file_is_as_large_as_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(bytes(10))
    assert read_regular_file(path, 10) == bytes(10)
    with pytest.raises(OSError, match="more than 0 MB"):
        read_regular_file(path, 9)
    assert LARGEST_SETTINGS > 1_000_000


def test_a_link_to_itself_has_a_path(tmp_path: Path) -> None:
    link = tmp_path / "a"
    link.symlink_to("a")
    assert resolve_path(link) == resolve_path(tmp_path) / "a"
    (tmp_path / "b").symlink_to(tmp_path / "c" / ".." / "d")
    assert resolve_path(tmp_path / "b") == resolve_path(tmp_path) / "d"


# --- spreadsheets that claim more than they hold


def save_book(path: Path, cells: dict[str, object]) -> Path:
    book = openpyxl.Workbook()
    for place, value in cells.items():
        book.active[place] = value
    book.save(path)
    return path


@pytest.mark.parametrize("last", ["XFD5000", "A50000", "XFD3"])
def test_a_cell_far_away_costs_no_memory(last: str, tmp_path: Path) -> None:
    """Some programs give the last cell of all a colour or a blank."""
    path = save_book(tmp_path / "a.xlsx", {"A1": "x", "C2": 7, last: " "})
    started = time.process_time()
    assert read_workbook(path) == {"Sheet": [["x", "", ""], ["", "", "7"]]}
    assert time.process_time() - started < 10


def test_a_sheet_of_too_many_cells_is_refused(tmp_path: Path) -> None:
    path = save_book(tmp_path / "a.xlsx", {"A1": "x", "XFD2000": "y"})
    with pytest.raises(TruthError, match="2000 rows of 16384 columns"):
        read_workbook(path)


def test_a_claimed_size_is_not_believed(tmp_path: Path) -> None:
    path = save_book(tmp_path / "a.xlsx", {"A1": "x", "B3": "y"})
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data.replace(b'ref="A1:B3"', b'ref="A1:XFD1048576"'))
    assert read_workbook(tmp_path / "b.xlsx") == {"Sheet": [["x", ""], ["", ""], ["", "y"]]}


def test_a_spreadsheet_that_unpacks_to_gigabytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fesnet.datasets.sheets.LARGEST_FILE", 1_000_000)
    path = save_book(tmp_path / "a.xlsx", {"A1": "x"})
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/more.xml", bytes(2_000_000))
    with pytest.raises(TruthError, match="it unpacks to"):
        read_workbook(path)
