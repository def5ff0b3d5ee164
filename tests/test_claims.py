"""What a file claims is checked before it is believed; matching stays what it was, only faster."""

from __future__ import annotations

import base64
import json
import random
import zlib
from pathlib import Path
from typing import Any

import pytest

from fesnet._io import check_archive
from fesnet.errors import ResultError
from fesnet.intervals import Interval
from fesnet.jobs.executor import worker_died
from fesnet.jobs.pool import exit_reason
from fesnet.metrics.matching import count_hit_truths, match
from fesnet.report import locate_video
from fesnet.result import Spotting
from review_server import made_spotting


def values_of() -> dict[str, Any]:
    values: dict[str, Any] = json.loads(made_spotting().to_json())
    return values


def packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 9)).decode()


@pytest.mark.parametrize(
    "change",
    [
        {"frame_times_us": packed(bytes(50_000_000))},  # more than its frames say
        {"frames": 10**12},
        {"frame_times_us": packed(b"\xff" * 8 * 10), "frames": 10},
        {"working_rate": 1e-300},
        {"working_rate": 1e300},
        {"faces": [{"face": 0, "ticks": 10**10, "scores": packed(bytes(6))}]},
        {"faces": [{"face": 0, "ticks": 1, "scores": packed(bytes(50_000_000))}]},
    ],
)
def test_claims_of_a_result_are_one_line(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**values_of(), **change}))
    with pytest.raises(ResultError, match="but it is damaged") as caught:
        Spotting.from_json(path)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "change", [{"width": -1}, {"height": 10**9}, {"rate": "9" * 400}, {"frame_count": 10**60}]
)
def test_claims_about_the_source(tmp_path: Path, change: dict[str, Any]) -> None:
    values = values_of()
    path = tmp_path / "a.json"
    path.write_text(json.dumps({**values, "source": {**values["source"], **change}}))
    with pytest.raises(ResultError, match="but it is damaged"):
        Spotting.from_json(path)


def test_a_result_without_a_checksum_fetches_no_video(tmp_path: Path) -> None:
    video = tmp_path / "private.mp4"
    video.write_bytes(b"private")
    found = made_spotting(name="private.mp4", path=str(video), sha256=None)
    assert locate_video(found, None) == (
        None, "the result holds no checksum of its video; name the video with --video"
    )  # fmt: skip
    assert locate_video(found, video) == (video, "")
    folder = tmp_path / "images"
    folder.mkdir()
    assert locate_video(made_spotting(path=str(folder), sha256=None), None)[0] is None
    assert locate_video(made_spotting(path="/a\0b", sha256="0" * 64), None)[0] is None


def test_an_archive_that_unpacks_to_too_much(tmp_path: Path) -> None:
    import numpy as np

    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(1000))
    check_archive(tmp_path / "a.npz", 10_000)
    with pytest.raises(ValueError, match="it unpacks to"):
        check_archive(tmp_path / "a.npz", 5000)


def plain_match(truth: list[Interval], found: list[Interval], iou: float) -> list[tuple[int, int]]:
    """Kuhn over all pairs, by recursion."""
    fits = []
    for t in truth:
        near = sorted((-t.iou(f), j) for j, f in enumerate(found) if t.kind == f.kind)
        fits.append([j for value, j in near if -value >= iou])
    partner: dict[int, int] = {}

    def assign(i: int, tried: set[int]) -> bool:
        for j in fits[i]:
            if j not in tried:
                tried.add(j)
                if j not in partner or assign(partner[j], tried):
                    partner[j] = i
                    return True
        return False

    for i in range(len(truth)):
        assign(i, set())
    return sorted((i, j) for j, i in partner.items())


def test_only_near_pairs_give_what_all_pairs_give() -> None:
    draw = random.Random(1)

    def some() -> list[Interval]:
        starts = [draw.randrange(40) for _ in range(draw.randint(0, 14))]
        kinds = ("macro", "micro")
        return [Interval(a, a + draw.randint(1, 12), draw.choice(kinds)) for a in starts]

    for _ in range(200):
        truth, found, iou = some(), some(), draw.choice([0.1, 1 / 3, 0.5, 2 / 3, 1.0])
        pairs = match(truth, found, iou)
        assert len(pairs) == len(plain_match(truth, found, iou))
        assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
        for i, j in pairs:
            assert truth[i].kind == found[j].kind and truth[i].iou(found[j]) >= iou


def test_who_agrees_best_is_paired_where_that_loses_no_pair() -> None:
    truth = [Interval(0, 10, "macro"), Interval(4, 14, "macro")]
    assert match(truth, [Interval(4, 14, "macro")], 0.3) == [(1, 0)]
    assert match(truth, [Interval(4, 14, "macro"), Interval(8, 18, "macro")], 0.3) == [
        (0, 0),
        (1, 1),
    ]


def test_hit_truths_are_counted_as_every_pair_would_be() -> None:
    draw = random.Random(2)
    for _ in range(100):
        truth, found = (
            [
                Interval(a, a + draw.randint(1, 12), draw.choice(("macro", "micro")))
                for a in (draw.randrange(40) for _ in range(9))
            ]
            for _ in range(2)
        )
        for typed in (True, False):
            counts = count_hit_truths(truth, found, 0.5, typed=typed)
            for kind in ("macro", "micro"):
                near = [f for f in found if not typed or f.kind == kind]
                mine = [t for t in truth if t.kind == kind]
                hit = sum(any(t.iou(f) >= 0.5 for f in near) for t in mine)
                assert (counts[kind].tp, counts[kind].fn) == (hit, len(mine) - hit)


def test_a_long_chain_of_overlaps_is_matched() -> None:
    chain = [Interval(5 * k, 5 * k + 10, "macro") for k in range(5000)]
    assert len(match(chain, chain[1:], 0.3)) == 4999


def test_what_ended_a_worker_is_not_always_memory() -> None:
    assert "memory" in str(worker_died("killed by SIGKILL", 2))
    assert "memory" not in str(worker_died("exit code 1", 2))
    assert "memory" not in str(worker_died(exit_reason(3), 2))
