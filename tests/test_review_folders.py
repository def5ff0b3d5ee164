"""Work folders of the review app as the world makes them: opened twice, with subfolders and odd
names, gone, on disks without links; and what other servers of this machine get to see.
"""

from __future__ import annotations

import errno
import http.cookiejar
import json
import logging
import os
import shutil
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from fesnet.batch import write_results
from fesnet.errors import UsageError
from fesnet.review.connections import MAX_WAITING
from fesnet.review.edits import EditRequest, apply_edit
from fesnet.review.merge import merge_intervals
from fesnet.review.review_file import read_review
from fesnet.review.review_state import load_corrected, load_opinions, load_state
from fesnet.review.upload import remove_scratch
from fesnet.review.video_library import MAX_DEPTH, VideoLibrary
from made_study import make_study
from review_server import Web, made_spotting, make_work, program, serving, wait_for


@pytest.fixture(scope="module")
def first_work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_work(tmp_path_factory.mktemp("work") / "first")


@pytest.fixture
def work(first_work: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first_work, tmp_path / "work"))


@pytest.fixture
def web(work: Path) -> Iterator[Web]:
    with serving([work]) as (client, _):
        yield client


def key_of(web: Web, name: str) -> str:
    (key,) = [v["key"] for v in web.ask("GET", "/api/videos").json if v["name"] == name]
    return quote(key, safe="")


def add_notes(web: Web, who: str, count: int, done: list[str]) -> None:
    """Add intervals to the one video; a refused edit is made again on the state of now."""
    (key,) = [quote(video["key"], safe="") for video in web.ask("GET", "/api/videos").json]
    for _ in range(count):
        answer = None
        while answer is None or answer.status == 409:
            revision = web.view(key)["revision"]
            fields = {"kind": "micro", "onset_s": 0.1, "offset_s": 0.2, "who": who}
            answer = web.edit(revision, "add", key=key, **fields)
        assert answer.status == 200, answer.body
        done.append(who)


def check_that_two_lose_nothing(first: Path, second: Path, review: Path) -> None:
    """Two servers in processes of their own, on these folders, take edits of one video at once."""
    done: list[str] = []
    with program(first) as (_, one), program(second) as (_, other):
        clients = [(Web.open(one), "anna"), (Web.open(other), "ben")]
        threads = [threading.Thread(target=add_notes, args=(*c, 8, done)) for c in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    entries = read_review(review).entries
    assert sorted(e.who for e in entries) == sorted(done) == ["anna"] * 8 + ["ben"] * 8


def test_two_servers_on_one_folder_lose_no_edit(work: Path) -> None:
    """Two processes, as two people on a share."""
    check_that_two_lose_nothing(work, work, work / "small.review.json")


def test_a_server_on_a_folder_below_another_ones_loses_no_edit(work: Path) -> None:
    """One person has opened the study, another one the folder of a participant."""
    (work / "s1").mkdir()
    for file in work.glob("small*"):
        file.rename(work / "s1" / file.name)
    check_that_two_lose_nothing(work, work / "s1", work / "s1" / "small.review.json")


def test_results_in_subfolders_are_shown_and_corrected(work: Path) -> None:
    for subject in ("s1", "s2"):
        (work / subject).mkdir()
        write_results(made_spotting(name="a.mp4"), work / subject / "a.json")
    (work / "summary.json").write_text("{}")
    with serving([work]) as (web, _):
        names = [v["name"] for v in web.ask("GET", "/api/videos").json]
        assert names == ["s1/a", "s2/a", "small.mp4"]
        key = key_of(web, "s2/a")
        fields = {"kind": "micro", "onset_s": 0.1, "offset_s": 0.2}
        assert web.edit(0, "add", key=key, **fields).status == 200
        assert web.ask("POST", f"/api/videos/{key}/export?to=eaf").status == 200
    assert (work / "s2" / "a.review.json").is_file()
    assert (work / "s2" / "a.review.eaf").is_file()
    assert not (work / "s1" / "a.review.json").exists()


def test_folders_are_not_searched_without_end(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"abcdefg")
    deep.mkdir(parents=True)
    for folder in (tmp_path / "a", deep):
        write_results(made_spotting(), folder / "r.json")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / ".hidden").mkdir()
    write_results(made_spotting(), tmp_path / ".hidden" / "r.json")
    assert MAX_DEPTH < 7
    assert [v.stem for v in VideoLibrary(tmp_path).videos.values()] == ["a/r"]


ODD = [os.fsdecode(b"J\xf6rg"), "a\nb", "\x1b[31mred", "a#b?c%41", "a\\b", "e\u0301", "<img>"]


@pytest.mark.parametrize("name", ODD)
def test_any_name_is_listed_shown_and_corrected(name: str, work: Path) -> None:
    write_results(made_spotting(name=f"{name}.mp4"), work / f"{name}.json")
    with serving([work]) as (web, _):
        answer = web.ask("GET", "/api/videos")
        assert answer.status == 200
        assert len(answer.json) == 2
        (key,) = [v["key"] for v in answer.json if v["key"] != "small"]
        key = quote(key, safe="")
        fields = {"kind": "micro", "onset_s": 0.1, "offset_s": 0.2}
        assert web.edit(0, "add", key=key, **fields).status == 200
        assert web.ask("GET", f"/api/videos/{key}").json["revision"] == 1
        assert web.ask("POST", f"/api/videos/{key}/export?to=csv").status == 200
        assert web.ask("GET", f"/api/videos/{key}/agreement").status == 200
    assert (work / f"{name}.review.json").is_file()


def test_pipes_devices_and_loops_are_no_videos_and_hang_nothing(work: Path) -> None:
    os.mkfifo(work / "x.json")
    os.mkfifo(work / "x.mp4")
    (work / "z.json").symlink_to("/dev/zero")
    (work / "l.mp4").symlink_to("l.mp4")
    with serving([work]) as (web, _):
        assert [v["key"] for v in web.ask("GET", "/api/videos").json] == ["small"]


@pytest.mark.parametrize("who", ["\ud800", "a\0b", "\u202e", "a\nb", "\x1b[31m"])
def test_names_of_people_that_no_file_can_hold_are_refused(who: str, web: Web) -> None:
    fields = {"kind": "micro", "onset_s": 0.1, "offset_s": 0.2, "who": who}
    answer = web.edit(0, "add", **fields)
    assert answer.status in (400, 422)
    assert web.view()["revision"] == 0


def test_a_note_may_have_lines_and_no_half_characters(web: Web) -> None:
    key = web.view()["intervals"][0]["id"]
    assert web.edit(0, "note", id=key, note="one\n\ttwo").status == 200
    assert web.edit(1, "note", id=key, note="x\ud83d").status in (400, 422)
    assert web.view()["intervals"][0]["note"] == "one\n\ttwo"


def test_a_review_that_was_spoilt_before_is_read(work: Path) -> None:
    with serving([work]) as (web, _):
        web.edit(0, "check", id=web.view()["intervals"][0]["id"])
    path = work / "small.review.json"
    path.write_text(path.read_text().replace('"anna"', '"\\ud800"'))
    with serving([work]) as (web, _):
        assert web.ask("GET", "/api/videos/small").status == 200
        assert web.edit(1, "undo").status == 200


def test_an_export_that_was_corrected_stays(web: Web, work: Path) -> None:
    for _ in range(2):
        assert web.ask("POST", "/api/videos/small/export?to=eaf").status == 200
    assert not (work / "small.review-2.eaf").exists()
    (work / "small.review.eaf").write_text("mine")
    for _ in range(2):
        answer = web.ask("POST", "/api/videos/small/export?to=eaf")
        assert answer.headers["content-disposition"] == 'attachment; filename="small.review-2.eaf"'
    assert (work / "small.review.eaf").read_text() == "mine"
    assert not (work / "small.review-3.eaf").exists()


def test_a_folder_that_is_gone_is_told_and_comes_back(web: Web, work: Path) -> None:
    work.rename(work.parent / "away")
    fields = {"kind": "micro", "onset_s": 0.1, "offset_s": 0.2}
    for answer in (
        web.ask("GET", "/api/videos"),
        web.edit(0, "add", **fields),
        web.ask("PUT", "/api/upload/a.mp4", b"x"),
    ):
        assert answer.status == 400
        assert "gone or cannot be read; is its disk still there?" in answer.error
    (work.parent / "away").rename(work)
    assert web.edit(0, "add", **fields).status == 200


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS])
def test_uploads_need_no_hard_links(
    code: int, web: Web, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    body = (work / "small.mp4").read_bytes()
    for name in ("small-2.mp4", "small-3.mp4"):
        assert web.ask("PUT", "/api/upload/small.mp4", body).status == 200
        assert (work / name).read_bytes() == body
    wait_for(lambda: not [p for p in work.iterdir() if p.suffix == ".mp4" and p.name[0] == "."])


def test_what_killed_uploads_left_is_removed_unless_another_server_is_there(work: Path) -> None:
    scratch = work / ".0123456789abcdef.mp4"
    own = [work / ".mine.mp4", work / ".0123456789abcde.mp4"]
    for path in (scratch, *own):
        path.write_bytes(b"x")
    with serving([work]):
        assert not scratch.exists()
        scratch.write_bytes(b"x")  # an upload that goes on
        with serving([work]):
            assert scratch.exists()
    assert all(path.exists() for path in own)
    remove_scratch(work)
    assert not scratch.exists()


# --- the cookie, and connections that ask for nothing ---


class Listener(threading.Thread):
    """Another server of this machine: keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.got = b""

    def run(self) -> None:
        while True:
            try:
                line, _ = self.socket.accept()
            except OSError:
                return
            with line:
                self.got += line.recv(65536)
                line.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")


def test_the_cookie_goes_to_no_other_port(web: Web) -> None:
    """By the standard library's cookie jar, which knows paths as browsers do."""
    other = Listener()
    other.start()
    jar = http.cookiejar.CookieJar()
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
    with browser.open(f"{web.origin}/?token={web.token}") as answer:
        page = answer.read().decode()
    (cookie,) = jar
    assert len(cookie.path) > 20
    assert f'src="{cookie.path}static/main.js"' in page
    with browser.open(f"{web.origin}{cookie.path}api/videos") as answer:
        assert json.load(answer)[0]["key"] == "small"
    for path in ("/", "/api/videos", "/static/main.js"):
        browser.open(f"http://127.0.0.1:{other.port}{path}").close()
    other.socket.close()
    assert b"GET /api/videos" in other.got
    assert b"ookie" not in other.got


def test_the_path_alone_opens_nothing(work: Path) -> None:
    with serving([work]) as (web, served):
        prefix = served.app.prefix
        for path in (f"{prefix}/", f"{prefix}/api/videos", f"{prefix}/media/small", prefix):
            assert web.ask("GET", path, cookie=None).status == 403
        assert web.ask("GET", f"{prefix}/api/videos").status == 200
        assert web.ask("GET", f"{prefix}x/api/videos").status == 404


def test_idle_connections_keep_nobody_out(web: Web) -> None:
    idle = [socket.create_connection(("127.0.0.1", web.port)) for _ in range(MAX_WAITING + 40)]
    try:
        assert web.ask("GET", "/api/videos").status == 200
        idle[0].settimeout(120)
        assert idle[0].recv(1) == b""  # the oldest made room
    finally:
        for line in idle:
            line.close()
    assert web.ask("GET", "/api/videos").status == 200


def send(web: Web, data: bytes) -> bytes:
    """What comes back for just these bytes, after which nothing more is sent."""
    with socket.create_connection(("127.0.0.1", web.port), 120) as line:
        line.sendall(data)
        line.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: line.recv(65536), b""))


def test_a_request_that_ends_in_its_middle_is_no_traceback(
    web: Web, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page that is closed while a video goes up."""
    said: list[logging.LogRecord] = []
    handler = logging.Handler(logging.ERROR)
    monkeypatch.setattr(handler, "emit", said.append)
    monkeypatch.setattr(logging.getLogger("uvicorn.error"), "handlers", [handler])
    head = f"Host: 127.0.0.1:{web.port}\r\nCookie: {web.cookie}\r\nOrigin: {web.origin}\r\n"
    kind = "Content-Type: application/json\r\n"
    for line in ("PUT /api/upload/x.mp4", "POST /api/videos/small/edits"):
        for size in ("Content-Length: 5000\r\n\r\nab", "Transfer-Encoding: chunked\r\n\r\n5\r\na"):
            send(web, f"{line} HTTP/1.1\r\n{head}{kind}{size}".encode())
    assert web.ask("GET", "/api/videos").status == 200
    # the answer may come before the server has cleared up after the upload
    wait_for(lambda: [p.name for p in work.iterdir() if p.suffix == ".mp4"] == ["small.mp4"])
    assert not said


@pytest.mark.parametrize(
    "method, path, body, status",
    [
        ("POST", "/api/videos/small/edits", b"[" * 300_000, 400),
        ("POST", "/api/videos/small/edits", b"{", 422),
        ("DELETE", "/api/videos", None, 405),
        ("TRACE", "/media/small", None, 405),
        ("GET", "/nothing", None, 404),
    ],
)
def test_every_refusal_is_a_line(
    method: str, path: str, body: bytes | None, status: int, web: Web
) -> None:
    answer = web.ask(method, path, body, content_type="application/json")
    assert (answer.status, len(answer.error.splitlines())) == (status, 1)


@pytest.mark.parametrize(
    "host",
    [
        *("127.1:{}", "2130706433:{}", "127.0.0.1:0{}", "127.0.0.1:{}, evil", "a@127.0.0.1:{}"),
        *("", "[::ffff:127.0.0.1]:{}"),
    ],
)
def test_other_spellings_of_the_address_are_refused(host: str, web: Web) -> None:
    head = f"Host: {host.format(web.port)}\r\nCookie: {web.cookie}\r\n"
    answer = send(web, f"GET /api/videos HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    "said", ["-1", "1e3", "0x10", "+5", "", "9" * 5000, "2\r\nContent-Length: 50"]
)
def test_lengths_that_are_none_are_refused(said: str, web: Web) -> None:
    head = f"Host: 127.0.0.1:{web.port}\r\nCookie: {web.cookie}\r\nOrigin: {web.origin}\r\n"
    line = "POST /api/videos/small/edits HTTP/1.1\r\n"
    answer = send(web, f"{line}{head}Content-Length: {said}\r\n\r\n{{}}".encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert web.view()["revision"] == 0


def test_one_key_for_each_video(tmp_path: Path) -> None:
    (tmp_path / "s1").mkdir()
    for name in ("s1/a", "s1 \u203a a"):
        write_results(made_spotting(), tmp_path / f"{name}.json")
    library = VideoLibrary(tmp_path)
    assert {library.result_path(key) for key in library.videos} == {
        tmp_path.resolve() / "s1" / "a.json",
        tmp_path.resolve() / "s1 \u203a a.json",
    }
    with pytest.raises(UsageError):
        library.find("s1/a")


def test_results_of_a_study_are_reviewed_where_they_lie(tmp_path: Path) -> None:
    study = make_study(tmp_path / "r", people=2)
    (study / ".trash").mkdir()
    (study / ".trash" / "x.json").write_bytes((study / "calm" / "p1.json").read_bytes())
    library = VideoLibrary(study)
    keys = {video.name: key for key, video in library.videos.items()}
    assert sorted(keys) == ["calm/p1", "calm/p2", "stress/p1", "stress/p2"]
    key = keys["stress/p1"]
    state = load_state(library, key)
    first = merge_intervals(state.machine, state.review)[0]["id"]
    review = apply_edit(state.machine, state.review, EditRequest(0, "anna", "delete", str(first)))
    library.save(key, review)
    assert (study / "stress" / "p1.review.json").is_file()
    assert not (study / "calm" / "p1.review.json").exists()
    assert load_corrected(library, key)[1] == "p1.review"
    other = study / "stress" / "p1.ben.review.json"
    other.write_bytes((study / "stress" / "p1.review.json").read_bytes())
    assert library.other_reviews(key) == ["p1.ben.review.json"]
    assert len(load_opinions(library, key, "p1.ben.review.json").judged) == 1
    assert library.other_reviews(keys["calm/p1"]) == []


@pytest.mark.parametrize("key", ["../x", "calm/../../x", "/", "..", "", "a\0b", "..\\x"])
def test_keys_do_not_lead_out_of_the_folder(key: str, tmp_path: Path) -> None:
    library = VideoLibrary(make_study(tmp_path / "r", people=1))
    with pytest.raises(UsageError, match="expected a video of r, got"):
        library.result_path(key)
