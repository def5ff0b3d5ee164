"""Nothing leaves the machine: what users run, watched together with all that it depends on.

`no_network.c` is preloaded into each child process and into all that they start. It writes down
every look-up of a name and every connection or packet to an internet address, and lets none leave
the machine. This machine itself may be asked, but nothing here does: the review server only
answers. One exception is named where it is: the import of Ray. (No cluster of Ray is among the
children: its nodes talk to each other.) What asks the kernel directly, past the C library, is not
seen.

onnxruntime begins about ten seconds after its import, so every child lives for `LIVES` seconds.
Commands that end by themselves share a child, one after another: imports take the longest.
"""

from __future__ import annotations

import importlib.metadata as metadata
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fesnet
from fesnet.faces import ModelFiles
from fesnet.faces.models import cache_folder
from fesnet.jobs import make_executor
from fesnet.result import Spotting
from review_server import Web, make_work, wait_for
from video_files import write_video

SHIM = Path(__file__).with_name("no_network.c")
LIVES = 25.0  # seconds; more than twice what onnxruntime waits
SENDS = (1, 29)  # the first onnxruntime that sends by itself
# Where one of these is set, onnxruntime takes the machine for a build server and sends nothing: the
# children must not know them, or they would be quiet for a reason that no user has.
QUIETENS = (
    *("APPVEYOR", "BITBUCKET_BUILD_NUMBER", "BUILDKITE", "CI", "CIRCLECI", "CODEBUILD_BUILD_ID"),
    *("GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "KUBERNETES_SERVICE_HOST"),
    *("TEAMCITY_VERSION", "TF_BUILD", "TRAVIS", "ORT_DISABLE_TELEMETRY"),
)

THEN = "--then--"  # between the commands of a child
AFTER = "AFTER"  # before the name of a command that has ended, among what was asked of the network
# Commands of fesnet in a process that goes on living, as its workers do, until it is `LIVES` old.
# It ends with the first command that fails.
CHILD = f"""
import multiprocessing.process as processes, os, sys, time
born = time.monotonic()

def stay():
    time.sleep(max(0, {LIVES} - (time.monotonic() - born)))

def kill_later(self, kill=processes.BaseProcess.kill):
    stay()
    kill(self)

processes.BaseProcess.kill = kill_later
from fesnet.cli import main
program, words = sys.argv[0], sys.argv[1:]
try:
    while words:
        end = words.index("{THEN}") if "{THEN}" in words else len(words)
        sys.argv, words = [program, *words[:end]], words[end + 1 :]
        try:
            main()
        except SystemExit as ended:
            if ended.code:
                raise
        with open(os.environ["NO_NETWORK_LOG"], "a") as log:
            log.write("{AFTER} " + sys.argv[1] + "\\n")
finally:
    stay()
"""
# The same with onnxruntime's telemetry as onnxruntime would have it.
SWITCHED_ON = f"""
import os, fesnet
del os.environ["ORT_DISABLE_TELEMETRY"]
import onnxruntime
onnxruntime.disable_telemetry_events = lambda: None
{CHILD}"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="what is preloaded is written for Linux"
)


@dataclass
class Child:
    """A running child, and the files that tell what it did."""

    process: subprocess.Popen[bytes]
    folder: Path
    out: Path
    born: float

    def wait(self) -> None:
        code = self.process.wait(600)
        assert code == 0, f"exit code {code}\n{self.said()}"

    def said(self) -> str:
        return (self.folder / "said").read_text(encoding="utf-8", errors="replace")

    def log(self) -> list[str]:
        """What it asked of the network, and which commands had ended by then."""
        log = self.folder / "network"
        return log.read_text(encoding="utf-8").splitlines() if log.exists() else []

    def asked(self) -> list[str]:
        """What it asked of the network, each once."""
        return sorted({line for line in self.log() if not line.startswith(AFTER)})

    def left(self) -> list[str]:
        """Files in its home folder, which was empty."""
        home = self.folder / "home"
        return sorted(str(p.relative_to(home)) for p in home.rglob("*") if not p.is_dir())


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here (gcc or cc) to build what watches the network")
    built = tmp_path_factory.mktemp("shim") / "no_network.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", built, SHIM, "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return built


def start(shim: Path, folder: Path, code: str, *arguments: object) -> Child:
    """Run Python code in a process that is watched. Its home is empty, and no other place is
    known.
    """
    home, out = folder / "home", folder / "out"
    home.mkdir(parents=True)
    out.mkdir()
    source = Path(fesnet.__file__).parents[1]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("XDG_") and k not in QUIETENS}
    environment = kept | {
        "HOME": str(home),
        "FESNET_CACHE": str(cache_folder()),
        "LD_PRELOAD": str(shim),
        "NO_NETWORK_LOG": str(folder / "network"),
        "PYTHONPATH": str(source),
        "PYTHONUNBUFFERED": "1",
    }
    words = [str(a).replace("OUT", str(out)) for a in arguments]
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *words],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    return Child(process, folder, out, time.monotonic())


@pytest.fixture(scope="module")
def children(
    shim: Path,
    tiny_weights: Path,
    face_models: ModelFiles,
    face_frames: list[np.ndarray],
    face_video: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Child]]:
    """All of them, started at once: they wait for most of their lives."""
    pytest.importorskip("fastapi", reason="needs the extra review")
    pytest.importorskip("torch", reason="needs the extra train")
    root = tmp_path_factory.mktemp("no-network")
    swaying = (face_frames + face_frames[::-1]) * 4
    long = write_video(root / "long.mp4", swaying, g="15", unit=Fraction(1, 15))
    several = root / "several"
    several.mkdir()
    for n in range(4):
        write_video(several / f"{n}.mp4", face_frames[: 20 + n])
    portraits = root / "portraits"
    portraits.mkdir()
    shutil.copy(Path(fesnet.__file__).parent / "assets" / "portrait.jpg", portraits)
    quick = root / "quick.toml"
    quick.write_text(
        "pair_groups = 2\npair_frames = 2\nvideo_hours = 0\nworkers = 1\nbf16 = false\n",
        encoding="utf-8",
    )
    result = make_work(root / "work") / "small.json"
    steps = ("--pair-steps", 3, "--head-steps", 0, "--clip-steps", 0)
    tiny = ("--weights", tiny_weights)
    many: tuple[object, ...] = (
        *("report", result, "--out", "OUT/page.html", THEN),
        *("live", face_video, "--json", *tiny, THEN),
        *("train", portraits, "--out", "OUT/weights", "--config", quick, *steps, THEN, "doctor"),
    )
    commands: dict[str, tuple[object, ...]] = {
        "spot": ("spot", long, "--out", "OUT"),
        "batch": ("spot", several, "--out", "OUT", "--jobs", 2, *tiny),
        "review": ("review", face_video, "--folder", "OUT", "--no-open", *tiny),
        "many": many,
    }
    made = {
        "switched on": start(
            shim, root / "on", SWITCHED_ON, "spot", face_video, "--out", "OUT", *tiny
        )
    }
    made |= {name: start(shim, root / name, CHILD, *command) for name, command in commands.items()}
    yield made
    for child in made.values():
        child.process.kill()
        child.process.wait()


def checked(child: Child) -> None:
    """It asked for nothing and left nothing."""
    assert child.asked() == []
    assert child.left() == []


def test_what_watches_sees_what_it_must(shim: Path, tmp_path: Path) -> None:
    """Else the others could not fail: look-ups, connections and packets are refused and
    recorded.
    """
    code = """
import socket, subprocess, sys
def refused(do, *words):
    try:
        do(*words)
    except OSError:
        return
    sys.exit(f"{do} was let through")
refused(socket.getaddrinfo, "fesnet.invalid", 443)
refused(socket.gethostbyname, "by-name.invalid")
refused(socket.socket().connect, ("192.0.2.1", 443))
refused(socket.socket(socket.AF_INET6).connect, ("2001:db8::1", 443))
packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
refused(packets.sendto, b"x", ("192.0.2.2", 53))
refused(packets.sendmsg, [b"x"], [], 0, ("192.0.2.3", 53))
packets.sendto(b"x", ("127.0.0.1", 9))
socket.getaddrinfo("localhost", 9)
open(sys.argv[1] + "/../home/left", "w").close()
child = 'import socket; socket.getaddrinfo("child.invalid", 1)'
subprocess.run([sys.executable, "-c", child], stderr=subprocess.DEVNULL)
"""
    child = start(shim, tmp_path / "child", code, "OUT")
    child.wait()
    assert child.asked() == sorted(
        [
            *("LOOKUP by-name.invalid 0", "LOOKUP child.invalid 0", "LOOKUP fesnet.invalid 0"),
            *(
                "OUTSIDE 192.0.2.1 443",
                "OUTSIDE 2001:db8::1 443",
                "OUTSIDE 192.0.2.2 53",
                "OUTSIDE 192.0.2.3 53",
            ),
            *("LOOPBACK 127.0.0.1 9", "LOOPBACK localhost 0"),
        ]
    )
    assert child.left() == ["left"]


def test_review(children: dict[str, Child]) -> None:
    """First of all, as its server waits for us."""
    child = children["review"]
    wait_for(lambda: "stop with" in child.said(), 300)
    web = Web.open(
        next(n for n in child.said().splitlines() if n.startswith("open ")).removeprefix("open ")
    )
    page = web.ask("GET", "/")
    assert page.status == 200
    assert b"<html" in page.body
    wait_for(lambda: [v["state"] for v in web.ask("GET", "/api/videos").json] == ["done"], 300)
    time.sleep(max(0.0, child.born + LIVES - time.monotonic()))
    child.process.send_signal(signal.SIGINT)
    assert child.process.wait(300) in (0, 130), child.said()
    checked(child)


def test_with_the_switch_taken_out_it_is_seen(children: dict[str, Child]) -> None:
    version = metadata.version("onnxruntime")
    if tuple(int(n) for n in version.split(".")[:2]) < SENDS:
        pytest.skip(f"onnxruntime {version} sends nothing by itself")
    child = children["switched on"]
    child.wait()
    assert [line for line in child.asked() if line.startswith("LOOKUP ")], (
        "onnxruntime asked for nothing"
    )
    assert [file for file in child.left() if "onnxruntime" in file], "onnxruntime left nothing"


def test_spot(children: dict[str, Child]) -> None:
    child = children["spot"]
    child.wait()
    times = Spotting.from_json(child.out / "long.json").frame_times
    assert times[-1] > 20
    checked(child)


def test_batch(children: dict[str, Child]) -> None:
    child = children["batch"]
    child.wait()
    assert {f"{n}.json" for n in range(4)} <= {p.name for p in child.out.iterdir()}
    checked(child)


def test_report_live_train_and_doctor(children: dict[str, Child]) -> None:
    """One after another. Training goes to its end, where the new graphs are run once as a check."""
    child = children["many"]
    child.wait()
    assert (child.out / "page.html").exists()
    assert '"event": "end"' in child.said()
    assert (child.out / "weights" / "encode.onnx").exists()
    assert "telemetry" in child.said()
    # Ray asks for this machine's own address when it is imported, which `doctor` alone does.
    ended = [f"{AFTER} {command}" for command in ("report", "live", "train", "doctor")]
    log = child.log()
    assert [line for line in log if line != "LOOPBACK localhost 0"] == ended
    assert log[:3] == ended[:3]
    assert child.left() == []


def switch(_: Any) -> str | None:
    """The switch as onnxruntime finds it in the process that is asked."""
    return os.environ.get("ORT_DISABLE_TELEMETRY")


def test_workers_have_the_switch_without_inheriting_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")
    with make_executor(1) as executor:
        assert [o.value for o in executor.map(switch, [("a", 0)])] == ["1"]


def test_ray_tasks_have_the_switch(ray_executor: Any) -> None:
    assert [o.value for o in ray_executor.map(switch, [("a", 0), ("b", 0)])] == ["1", "1"]
