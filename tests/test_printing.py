"""Any name to any terminal, pipe or file, on any code page."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from fesnet.cli import main
from fesnet.cli.base import say
from fesnet.errors import FaceModelError
from fesnet.faces import models
from fesnet.jobs import ProcessPool
from fesnet.video.files import public_address
from job_functions import square
from made_results import made_result

NAMES = [
    "b \u53d7\u8bd5\u8005",
    os.fsdecode(b"J\xf6rg"),
    "a\x1b]0;PWNED\x07b",
    "\U0001f600",
    "a\nb",
]


def call(monkeypatch: pytest.MonkeyPatch, encoding: str, *arguments: str) -> tuple[int, str, str]:
    """The command line with such output: its exit code and what came out."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        patch.setattr(sys, "argv", ["fesnet", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        for stream in streams:
            stream.flush()
    out, err = (stream.buffer.getvalue().decode(encoding) for stream in streams)  # type: ignore[attr-defined]
    return int(ended.value.code or 0), out, err


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437", "utf-8", "utf-16-le"])
@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_printed(
    name: str, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_result([(0, "macro", 10, 15, 30)], name=f"{name}.mp4").to_json(tmp_path / f"{name}.json")
    result = str(tmp_path / f"{name}.json")
    for arguments in (
        ("rethreshold", result, "--macro-threshold", "0.9"),
        ("export", result, "--to", "vtt"),
        ("score", result, result),
    ):
        code, out, err = call(monkeypatch, encoding, *arguments)
        assert (code, err) == (0, ""), arguments
        assert not set("\x1b\x07") & set(out)
    code, out, err = call(monkeypatch, encoding, "report", f"{result}.no")
    assert (code, len(err.splitlines()), out) == (2, 1, "")
    assert not set("\x1b\x07") & set(err)


@pytest.mark.parametrize("encoding", ["cp932", "cp1251", "cp850", "latin-1"])
def test_tables_and_help_are_printed_on_more_code_pages(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        file = tmp_path / f"{name}.json"
        made_result([(0, "macro", 10, 15, 30)], name=f"{name}.mp4").to_json(file)
    for arguments in (
        ("summary", str(tmp_path)),
        ("score", str(tmp_path), str(tmp_path)),
        ("--help",),
    ):
        code, out, _ = call(monkeypatch, encoding, *arguments)
        assert code == 0 and out and not set("\x1b\x07") & set(out), arguments


def full() -> io.TextIOWrapper:
    return open("/dev/full", "w")  # noqa: PTH123


def unread() -> io.TextIOWrapper:
    """The writing end of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return open(writer, "w")  # noqa: PTH123


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("errors", [full, unread, lambda: None])
def test_errors_that_nobody_can_read_leave_the_exit_code(
    errors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.json"
    made_result([(0, "macro", 10, 15, 30)]).to_json(file)
    for arguments, code in (
        (["report", str(file)], 0),  # says on stderr that there are no pictures
        (["report", str(tmp_path / "none.json")], 2),
        (["nocommand"], 2),
        (["export", str(file), "--to", "eaf"], 0),
    ):
        with monkeypatch.context() as patch:
            stream = errors()
            patch.setattr(sys, "stderr", stream)
            patch.setattr(sys, "argv", ["fesnet", *arguments])
            with pytest.raises(SystemExit) as ended:
                main()
        assert (ended.value.code or 0) == code, arguments
        with contextlib.suppress(OSError, AttributeError):
            stream.close()
    assert (tmp_path / "a.html").is_file() and (tmp_path / "a.eaf").is_file()


def test_a_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\nb\r\x1b[2Jc\u2028d")
    assert capsys.readouterr().out == "a\\x0ab\\x0d\\x1b[2Jc\\u2028d\n"


# --- small things ---


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://anna:S3CRET@cam/live?pw=S3CRET",
        "http://anna:S3/CRET@127.0.0.1:9/live",
        "http://anna:S3?CRET@127.0.0.1:9/live",
        "http://anna:12/CRET@h/live",
        "http://anna:S3CRET@[::1]:x/live",
        "http://an@na:S3@CRET@h/live",
        "rtsp://anna:S3@C/RET?CR#ET:x@h/live",
        "http://anna:S3@x?CRET@h/live?mail=a",
        "http://anna%3AS3CRET%40h/live",
        "http://:S3CRET@h/live#S3CRET",
        "HTTP://S3CRET@h/live",
    ],
)
def test_no_part_of_a_password_is_shown(address: str) -> None:
    shown = public_address(address)
    assert "CRET" not in shown
    assert "S3" not in shown
    assert shown.endswith("/live")


@pytest.mark.parametrize(
    "address, shown",
    [
        (
            "rtsp://cam/user=anna&password=S3CRET&channel=1",
            "rtsp://cam/user=...&password=...&channel=1",
        ),
        ("rtsp://cam/user=anna_password=S3CRET_channel=1_stream=0.sdp", "rtsp://cam/user=..."),
        ("http://cam/x;pw=S3CRET/live", "http://cam/x;pw=.../live"),
        ("http://cam/Token=S3CRET", "http://cam/Token=..."),
    ],
)  # fmt: skip
def test_a_password_in_the_path_is_not_shown(address: str, shown: str) -> None:
    assert public_address(address) == shown


@pytest.mark.parametrize("address", ["http://h:80/a/b.mp4", "rtsp://[::1]:554/cam", "udp://h:9"])
def test_an_address_without_a_password_stays(address: str) -> None:
    assert public_address(address) == address
    assert public_address(f"{address}?mail=a@b") == address


def test_without_a_home_folder_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("FESNET_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    with pytest.raises(FaceModelError, match="set FESNET_CACHE"):
        models.cache_folder()


def test_a_pool_starts_no_more_workers_than_there_are_items() -> None:
    with ProcessPool(40) as pool:
        outcomes = sorted(o.value for o in pool.map(square, [("a", 1), ("b", 2)]))
        assert outcomes == [1, 4]
        assert len(pool.workers) <= 2
