"""The review server: who may ask what, what is taken, what survives a killed program."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import pytest

from fesnet.errors import UsageError
from fesnet.exports.elan_reader import read_elan
from fesnet.faces import ModelFiles
from fesnet.result import Spotting
from fesnet.review.background import BackgroundWorker, StageCallback
from fesnet.review.review_file import read_review
from fesnet.review.server import ReviewServer, ServerOptions, prepare_server
from fesnet.review.upload import format_size, parse_size
from fesnet.review.video_library import LibraryVideo, VideoLibrary, default_folder
from review_server import Web, made_spotting, make_work, program, serving, wait_for
from video_files import pictures, write_video

SECRET = "root:x:0:0"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_work(tmp_path_factory.mktemp("ready") / "work")


@pytest.fixture
def work(ready: Path, tmp_path: Path) -> Path:
    return shutil.copytree(ready, tmp_path / "work")


@pytest.fixture(scope="module")
def running(
    ready: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Web, ReviewServer]]:
    """One server for many tests; starting it takes longer than they do."""
    with serving([shutil.copytree(ready, tmp_path_factory.mktemp("running") / "work")]) as both:
        yield both


@pytest.fixture
def web(running: tuple[Web, ReviewServer], work: Path) -> Web:
    """That server, on this test's folder."""
    client, served = running
    served.library.folder = work.resolve()
    served.library.videos.clear()
    served.library.scan()
    return client


# --- who may ask ---


def test_the_key_that_a_browser_is_opened_with_works_once(
    running: tuple[Web, ReviewServer],
) -> None:
    """Others may read it from the command line of the browser."""
    web, served = running
    key = served.app.new_key()
    first = web.ask("GET", f"/?key={key}", cookie=None)
    assert first.status == 200
    assert first.headers["set-cookie"].split(";")[0] == web.cookie
    assert web.ask("GET", f"/?key={key}", cookie=None).status == 403
    assert (
        web.ask("GET", f"/?key={key}").status == 200
    )  # the page, loaded again by who has the cookie
    assert web.ask("GET", f"/api/videos?key={served.app.new_key()}", cookie=None).status == 403


@pytest.mark.parametrize(
    "path", ["/", "/static/main.js", "/api/videos", "/api/videos/small", "/media/small", "/nothing"]
)
def test_nothing_is_told_without_the_token(web: Web, path: str) -> None:
    for cookie in (None, web.cookie[:-1], "fesnet-x=" + web.token):
        answer = web.ask("GET", path, cookie=cookie)
        assert answer.status == 403
        assert b"expected the token of this server" in answer.body


def test_a_wrong_token_is_refused(web: Web) -> None:
    answer = web.ask("GET", "/?token=abc", cookie=None)
    assert answer.status == 403
    assert b"open the address that `fesnet review` printed" in answer.body
    # The token in an address counts for the page alone.
    assert web.ask("GET", f"/api/videos?token={web.token}", cookie=None).status == 403


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(web: Web) -> None:
    cookie = web.ask("GET", f"/?token={web.token}", cookie=None).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert web.ask("GET", "/").status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example:80", None]
)
def test_other_hosts_are_refused(web: Web, host: str | None) -> None:
    answer = web.ask("GET", "/", host=host)
    assert answer.status in (400, 403)  # without any, the HTTP server itself refuses
    assert b"fesnet review" not in answer.body


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1", None]
)
def test_changes_from_other_pages_are_refused(web: Web, origin: str | None) -> None:
    edit = {"revision": 0, "who": "x", "what": "rules", "rules": {"macro_threshold": 0.3}}
    answer = web.ask("POST", "/api/videos/small/edits", edit, origin=origin)
    assert answer.status == 403
    assert b"expected a change from this server's own page" in answer.body
    assert web.ask("PUT", "/api/upload/a.mp4", b"x", origin=origin).status == 403
    assert web.view()["revision"] == 0


def test_every_answer_forbids_what_the_page_does_not_need(web: Web) -> None:
    for path in ("/", "/api/videos", "/media/small", "/static/main.js", "/nothing"):
        headers = web.ask("GET", path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_asks_nothing_of_other_machines() -> None:
    from fesnet.review.app import PAGE

    for path in PAGE.values():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text
        assert "https://" not in text


def test_only_this_machine_is_listened_to(work: Path) -> None:
    served = prepare_server([work], ServerOptions())
    with served.handle as handle, served.in_use:
        assert handle.getsockname()[0] == "127.0.0.1"


# --- what is served ---


@pytest.mark.parametrize(
    "path",
    [
        "/media/../../secret.mp4", "/media/..%2F..%2Fsecret.mp4", "/media/%2e%2e/%2e%2e/secret.mp4",
        "/media/%2Fetc%2Fpasswd", "/media//etc/passwd", "/static/../access.py",
        "/static/%2e%2e%2faccess.py", "/static/..%5caccess.py", "/api/videos/..%2fsecret/media",
        "/media/secret", "/media/link", "/media/small%00",
    ],
)  # fmt: skip
def test_no_path_leads_out_of_the_folder(web: Web, work: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.mp4").write_text(SECRET, encoding="utf-8")
    (work / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    answer = web.ask("GET", path)
    assert answer.status in (400, 404)
    assert SECRET.encode() not in answer.body


def test_a_result_cannot_name_any_file_to_be_served(web: Web, work: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_text(SECRET, encoding="utf-8")
    made_spotting(name="secret.mp4", path=str(secret), sha256="0" * 64).to_json(work / "evil.json")
    made_spotting(name="../secret.mp4").to_json(work / "sly.json")
    (work / "linked.json").symlink_to(secret)
    assert {v["key"] for v in web.ask("GET", "/api/videos").json} == {"small", "evil", "sly"}
    for key in ("evil", "sly", "linked"):
        answer = web.ask("GET", f"/media/{key}")
        assert answer.status == 400
        assert SECRET.encode() not in answer.body
    assert (
        "got another file of that name" in web.ask("GET", "/api/videos/evil/media").json["problem"]
    )


def test_a_video_elsewhere_is_served_if_it_is_the_one_that_was_spotted(
    work: Path, tmp_path: Path
) -> None:
    from fesnet._io import file_sha256

    away = tmp_path / "elsewhere.mp4"
    shutil.move(work / "small.mp4", away)
    made_spotting(name=away.name, path=str(away), sha256=file_sha256(away)).to_json(
        work / "small.json"
    )
    with serving([work]) as (web, _):
        assert web.ask("GET", "/media/small").body == away.read_bytes()
        away.unlink()
        assert "it is not there" in web.ask("GET", "/api/videos/small/media").json["problem"]


def test_a_part_of_the_video_is_served(web: Web, work: Path) -> None:
    answer = web.ask("GET", "/media/small", range="bytes=100-199")
    assert (answer.status, answer.headers["content-type"]) == (206, "video/mp4")
    assert answer.body == (work / "small.mp4").read_bytes()[100:200]


def test_numbers_come_as_they_are(web: Web, work: Path) -> None:
    found = Spotting.from_json(work / "small.json")
    frames = np.frombuffer(web.ask("GET", "/api/videos/small/frames").body, "<f8")
    np.testing.assert_array_equal(frames, found.frame_times)
    scores = np.frombuffer(web.ask("GET", "/api/videos/small/scores/0").body, "<f4").reshape(2, -1)
    np.testing.assert_allclose(scores.T, found.faces[0].scores, atol=1e-6)
    assert web.ask("GET", "/api/videos/small/scores/5").error == "expected a face of small, got 5"


# --- edits ---


def test_an_edit_is_on_the_disk_when_it_is_acknowledged(web: Web, work: Path) -> None:
    key = web.view()["intervals"][0]["id"]
    answer = web.edit(0, "edge", id=key, onset_s=0.4, apex_s=1.0, offset_s=1.6)
    assert answer.status == 200
    assert answer.json["intervals"][0]["onset_s"] == 0.4
    kept = read_review(work / "small.review.json")
    assert [(e.who, e.what) for e in kept.entries] == [("anna", "edge")]
    assert (
        Spotting.from_json(work / "small.json").intervals[0].onset_s != 0.4
    )  # the machine's version stays


def test_a_stale_edit_gets_409_and_changes_nothing(web: Web) -> None:
    key = web.view()["intervals"][0]["id"]
    assert web.edit(0, "check", id=key).status == 200
    late = web.edit(0, "delete", id=key)
    assert late.status == 409
    assert "this review was changed in another window" in late.error
    assert len(web.view()["intervals"]) == 2


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"revision": 0, "who": "a", "what": "explode"}, 422, "expected another request (what:"),
        ({"who": "a", "what": "undo"}, 422, "revision"),
        ({"revision": 0, "who": "", "what": "undo"}, 400, "expected your name"),
        (
            {"revision": 0, "who": "a", "what": "delete", "id": "x"},
            400,
            "expected an interval that is there",
        ),
        (b"{", 422, "expected another request"),
    ],
)
def test_edits_that_are_none(web: Web, body: Any, status: int, word: str) -> None:
    answer = web.ask("POST", "/api/videos/small/edits", body, content_type="application/json")
    assert answer.status == status
    assert word in answer.error
    assert "\n" not in answer.error


def test_preview_changes_nothing(web: Web, work: Path) -> None:
    seen = web.ask(
        "GET", "/api/videos/small/preview?rules=macro_threshold=0.3,micro_threshold=0.9"
    ).json
    assert [i["kind"] for i in seen] == ["macro", "macro"]
    assert not (work / "small.review.json").exists()
    assert web.ask("GET", "/api/videos/small/preview?rules=1").status == 400


def test_a_full_disk_is_told_and_the_old_state_stays(
    web: Web, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = web.view()["intervals"][0]["id"]
    web.edit(0, "check", id=key)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("fesnet._io.os.replace", full)
    answer = web.edit(1, "delete", id=key)
    assert (answer.status, "No space left on device" in answer.error) == (400, True)
    monkeypatch.undo()
    assert web.view()["revision"] == 1
    assert [p.name for p in work.iterdir() if p.name.endswith(".part")] == []


def test_agreement_of_machine_person_and_another(web: Web, work: Path) -> None:
    asked = "/api/videos/small/agreement"
    said = web.ask("GET", asked).json
    assert (said["looked_at"], said["left"], said["kinds"]) == (0, 2, None)
    key = web.view()["intervals"][0]["id"]
    web.edit(0, "delete", id=key)
    said = web.ask("GET", asked).json
    assert (said["looked_at"], said["left"], said["kinds"]) == (1, 1, None)
    shutil.copy(work / "small.review.json", work / "small.ben.review.json")
    for n in range(5):
        web.edit(1 + n, "add", kind="micro", onset_s=0.2 + n / 2, offset_s=0.4 + n / 2)
    counts = web.ask("GET", asked).json["kinds"]
    assert [counts["macro"][k] for k in ("tp", "fp", "fn")] == [0, 1, 0]
    assert counts["micro"]["tp"] + counts["micro"]["fn"] == 5
    assert web.view()["others"] == ["small.ben.review.json"]
    counts = web.ask("GET", f"{asked}?found=small.ben.review.json").json["kinds"]
    assert counts["micro"]["fn"] == 4  # the fifth lies where Ben has not looked
    assert web.ask("GET", f"{asked}?found=..%2Fsecret.review.json").status == 400


def test_export_of_both_versions(web: Web, work: Path) -> None:
    key = web.view()["intervals"][0]["id"]
    web.edit(0, "delete", id=key)
    answer = web.ask("POST", "/api/videos/small/export?to=eaf")
    assert 'filename="small.review.eaf"' in answer.headers["content-disposition"]
    assert [f.kind for f in read_elan(work / "small.review.eaf").found] == ["micro"]
    web.ask("POST", "/api/videos/small/export?to=eaf&which=machine")
    assert len(read_elan(work / "small.machine.eaf").found) == 2
    assert not (work / "small.eaf").exists()  # a name that a person's own file may have
    assert "expected formats out of" in web.ask("POST", "/api/videos/small/export?to=docx").error
    assert web.ask("POST", "/api/videos/nothing/export?to=eaf").status == 400


# --- one after another ---


class Asked:
    """A worker whose tasks wait until they are told to go on, and then report."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go, self.done = Queue[LibraryVideo](), Queue[None](), Queue[LibraryVideo]()
        monkeypatch.setattr(BackgroundWorker, "spot", self.spot)
        self.worker = BackgroundWorker(None)  # type: ignore[arg-type]  # no file is looked at

    def spot(self, video: LibraryVideo, report: StageCallback) -> None:
        self.begun.put(video)
        self.go.get(timeout=120)
        try:
            report(0.5)
        finally:
            self.done.put(video)


def test_stopped_and_asked_for_again_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, video = Asked(monkeypatch), LibraryVideo("a", "a.mp4")
    asked.worker.enqueue("spot", video)
    asked.begun.get(timeout=120)
    asked.worker.stop(video)
    asked.worker.enqueue("spot", video)  # before the first has noticed
    asked.go.put(None)
    asked.begun.get(timeout=120)  # the second has begun, and the first did not call it stopped
    assert (video.state, video.requests) == ("working", 2)
    asked.go.put(None)
    wait_for(lambda: video.state == "done")


def test_many_who_ask_at_once_get_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, videos = Asked(monkeypatch), [LibraryVideo(str(k), "") for k in range(40)]
    before = threading.enumerate()
    askers = [
        threading.Thread(target=asked.worker.enqueue, args=("spot", video)) for video in videos
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len([t for t in threading.enumerate() if t not in before]) == 1
    for _ in videos:
        asked.go.put(None)
    wait_for(lambda: all(video.state == "done" for video in videos))


def test_a_person_s_own_files_are_not_written_over(tmp_path: Path) -> None:
    for name in ("face.mp4", "face.json", "face.csv", "other.mp4", "other.csv"):
        (tmp_path / name).write_text("mine", encoding="utf-8")
    library = VideoLibrary(tmp_path)
    assert {key: video.name for key, video in library.videos.items()} == {
        "face.mp4": "face.mp4", "other.mp4": "other.mp4"
    }  # fmt: skip


# --- killed ---


def test_a_killed_server_loses_nothing_that_it_acknowledged(work: Path) -> None:
    done = 0
    for n in range(2):
        with program(work) as (process, address):
            web = Web.open(address)
            view = web.view()
            assert view["revision"] == done  # what the last one acknowledged, and nothing else
            for _ in range(3):
                assert (
                    web.edit(
                        done, "add", kind="micro", onset_s=0.1 * n, offset_s=0.1 * n + 0.2
                    ).status
                    == 200
                )
                done += 1
            with socket.create_connection(
                ("127.0.0.1", web.port)
            ) as line:  # in the middle of an edit
                line.sendall(
                    "POST /api/videos/small/edits HTTP/1.1\r\nHost: "
                    f"127.0.0.1:{web.port}\r\nOrigin: {web.origin}\r\n"
                    f"Cookie: {web.cookie}\r\nContent-Length: 999\r\n\r\n{{".encode()
                )
                process.send_signal(signal.SIGKILL)
                process.wait()
    values = json.loads((work / "small.review.json").read_text(encoding="utf-8"))
    assert [e["n"] for e in values["journal"]] == list(range(1, done + 1))
    assert len([i for i in values["intervals"] if i["by"] == "anna"]) == done


# --- uploads ---


def test_a_5_gb_upload_is_refused_before_it_is_read(web: Web, work: Path) -> None:
    with socket.create_connection(("127.0.0.1", web.port)) as line:
        line.sendall(
            f"PUT /api/upload/big.mp4 HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\nOrigin: "
            f"{web.origin}\r\n"
            f"Cookie: {web.cookie}\r\nContent-Length: 5000000000\r\n\r\n".encode()
        )
        line.settimeout(120)
        answer = line.recv(65536)
        while b"}" not in answer:
            answer += line.recv(65536)
    assert b" 413 " in answer.splitlines()[0]
    assert (
        b"expected a video of at most 2 GB, got 5 GB; name it on the command line, or raise "
        b"--max-upload" in answer
    )
    assert sorted(p.name for p in work.glob("[!.]*")) == ["small.csv", "small.json", "small.mp4"]


def test_an_upload_without_a_length_is_counted(work: Path) -> None:
    with (
        serving([work], limit="100kB") as (web, _),
        socket.create_connection(("127.0.0.1", web.port)) as line,
    ):
        line.settimeout(120)
        line.sendall(
            f"PUT /api/upload/big.mp4 HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\nOrigin: "
            f"{web.origin}\r\n"
            f"Cookie: {web.cookie}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        )
        for _ in range(11):
            line.sendall(b"2710\r\n" + bytes(10_000) + b"\r\n")
        answer = line.recv(65536)
        while b"}" not in answer:
            answer += line.recv(65536)
    assert b" 413 " in answer.splitlines()[0]
    assert b"expected a video of at most 100 kB, got more" in answer
    assert sorted(p.name for p in work.glob("[!.]*")) == ["small.csv", "small.json", "small.mp4"]


@pytest.mark.parametrize(
    ("name", "body", "status", "words"),
    [
        ("notes.mp4", b"dear diary\n" * 100, 415, "cannot open notes.mp4 as a video"),
        ("empty.mp4", b"", 415, "the file is empty"),
        ("notes.txt", b"dear diary", 400, "expected a video (.3gp, "),
        ("..%2Fout.mp4", b"x", 404, ""),
        ("..%5Cout.mp4", b"x", 400, "expected the plain name of a file"),
        (".hidden.mp4", b"x", 400, "expected the plain name of a file"),
        ("x" * 200 + ".mp4", b"x", 400, "expected the plain name of a file"),
    ],
)
def test_what_is_no_video_is_refused_and_not_kept(
    web: Web, work: Path, name: str, body: bytes, status: int, words: str
) -> None:
    answer = web.ask("PUT", f"/api/upload/{name}", body)
    assert answer.status == status
    assert words in answer.body.decode()
    assert sorted(p.name for p in work.glob("[!.]*")) == ["small.csv", "small.json", "small.mp4"]


def test_an_uploaded_video_is_spotted_beside_others(
    work: Path, face_video: Path, tiny_weights: Path, face_models: ModelFiles
) -> None:
    with serving([work], weights=tiny_weights) as (web, _):
        # A video of a name that is taken stays beside the other.
        assert web.ask("PUT", "/api/upload/small.mkv", face_video.read_bytes()).json == {
            "key": "small.mkv"
        }
        assert web.ask(
            "PUT", "/api/upload/bad.mp4", write_video(work / "x.mp4", pictures(3)).read_bytes()
        ).json
        wait_for(
            lambda: all(v["state"] in ("done", "new") for v in web.ask("GET", "/api/videos").json)
        )
        assert len(web.view("small.mkv")["faces"]) == 1
        assert web.view("bad")["faces"] == []
        assert web.view("small")["frames"] == 100
    with serving([work]) as (web, _):  # found again under the same keys
        assert {v["key"]: v["result"] for v in web.ask("GET", "/api/videos").json} == {
            "small": True, "small.mkv": True, "bad": True, "x": False
        }  # fmt: skip
        assert web.ask("GET", "/media/small.mkv").body == face_video.read_bytes()


def test_a_bad_video_shows_its_one_line_and_the_next_is_spotted(
    work: Path, tmp_path: Path, face_video: Path, tiny_weights: Path, face_models: ModelFiles
) -> None:
    bad, good = tmp_path / "bad.mp4", tmp_path / "good.mkv"
    bad.write_text("no video", encoding="utf-8")
    shutil.copy(face_video, good)
    with serving([bad, good], folder=work, weights=tiny_weights) as (web, _):

        def states() -> dict[str, Any]:
            return {v["key"]: v for v in web.ask("GET", "/api/videos").json}

        wait_for(lambda: states()["good"]["state"] == "done")
        wait_for(lambda: states()["bad"]["state"] == "failed")
        assert "cannot open bad.mp4 as a video" in states()["bad"]["error"]
        assert web.ask("POST", "/api/videos/bad/spot").status == 200
        assert web.ask("POST", "/api/videos/good/copy").status == 200
        wait_for(
            lambda: (
                states()["good"]["state"] == "done" and (work / ".playable" / "good.mp4").exists()
            )
        )
        assert web.ask("GET", "/media/good").headers["content-type"] == "video/mp4"
        assert (
            web.ask("GET", "/api/videos/bad").error
            == "expected a result of bad, got none yet: spot the video first"
        )


# --- starting ---


def test_where_results_lie(work: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "1.png").write_bytes(b"")
    assert default_folder([work]) == work
    assert default_folder([work / "small.json"]) == work
    assert default_folder([work / "small.mp4"]) == Path("fesnet-review")
    assert default_folder([images]) == Path("fesnet-review")
    assert default_folder([]) == Path("fesnet-review")
    assert list(VideoLibrary(work, (images,)).videos) == ["small", "images"]


@pytest.mark.parametrize(
    ("named", "options", "words"),
    [
        (
            ["nothing.mp4"],
            {},
            "expected a video, a result or a folder, but .*nothing.mp4 does not exist",
        ),
        (["notes.json"], {}, "expected a result of `fesnet spot --out`, got .*notes.json"),
        (["small.json"], {"folder": "other"}, "expected results in one folder"),
        (["small.json"], {"limit": "much"}, "expected a size like 2GB or 500MB, got 'much'"),
        (["small.json"], {"port": 70_000}, "expected a free port, got 70000"),
    ],
)
def test_wrong_calls(work: Path, named: list[str], options: dict[str, Any], words: str) -> None:
    (work / "notes.json").write_text("{}", encoding="utf-8")
    if "folder" in options:
        options = {"folder": work / options["folder"]}
    with pytest.raises(UsageError, match=words):
        prepare_server([work / name for name in named], ServerOptions(**options))


def test_sizes() -> None:
    assert [parse_size(t) for t in ("2GB", "500 mb", "1.5k", "10")] == [
        2 * 10**9,
        5 * 10**8,
        1500,
        10,
    ]
    assert [format_size(n) for n in (5 * 10**9, 1500, 10)] == ["5 GB", "1.5 kB", "10 B"]
    for text in ("nanGB", "-1GB", "0.1", "0GB", "9" * 400 + "GB"):
        with pytest.raises(UsageError, match="expected a size like 2GB") as caught:
            parse_size(text)
        assert len(str(caught.value)) < 200


def test_without_the_extra_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from fesnet.cli import main

    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "fesnet.review.server")
    monkeypatch.setattr(sys, "argv", ["fesnet", "review"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    assert "; run pip install '" in capsys.readouterr().err
