"""Words that several parts say."""

from __future__ import annotations

from pathlib import Path

import pytest

from fesnet._messages import counted, get_extra, time_left
from fesnet.cli.output import EventPrinter
from fesnet.synth.videos.videos import SynthesisResult


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s left"),
        (29, "29 s left"),
        (61, "1 min left"),
        (3599, "1 h 0 min left"),
        (7530, "2 h 6 min left"),
    ],
)
def test_time_left(seconds: float, words: str) -> None:
    assert time_left(seconds) == words


def test_one_is_one() -> None:
    assert [counted(n, "video") for n in (0, 1, 2)] == ["0 videos", "1 video", "2 videos"]


def test_one_is_one_where_it_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, words in ((1, "1 expression; "), (2, "2 expressions; ")):
        event = {"event": "end", "intervals": number, "dropped": 0, "frames": 9, "warnings": []}
        EventPrinter()(event | {"delay_median_s": 0.1, "delay_95_percent_s": 0.2})
        assert words in capsys.readouterr().err
    assert (
        str(SynthesisResult(tmp_path, ("a",), (), {"macro": 1}, ()))
        == f"1 video in {tmp_path}, with 1 macro"
    )


def test_a_missing_extra_says_what_works_in_this_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package is in no index, and a wheel has no folder: what the extra brings is named."""
    lines = ["numpy>=2", "fastapi>=0.115; extra == 'review'", 'uvicorn>=0.30; extra == "review"']
    monkeypatch.setattr("importlib.metadata.requires", lambda name: lines)
    assert get_extra("review") == (
        "run pip install 'fastapi>=0.115' 'uvicorn>=0.30' (extra review)"
    )
    assert get_extra("plots") == "run pip install '.[plots]' in the repository's folder"
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    (tmp_path / "pipx_metadata.json").touch()
    assert get_extra("review").startswith("run pipx inject fesnet 'fastapi>=0.115'")
    (tmp_path / "pipx_metadata.json").rename(tmp_path / "uv-receipt.toml")
    assert get_extra("review").startswith("run uv pip install --python ")
