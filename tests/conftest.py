"""Fixtures that several test files share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Programs that tests start read the modules that those before them compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores: one thread each, as of fesnet
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # is read when numpy and torch are imported

import cv2
import numpy as np
import pytest

import fesnet
from browser import browser, no_page_error  # noqa: F401  # fixtures
from fesnet.errors import FaceModelError
from fesnet.faces import ModelFiles, model_files
from fesnet.model.checkpoint import save_weights
from fesnet.postprocess import IntervalRules
from small_network import make_network
from video_files import write_video

ASSETS = Path(fesnet.__file__).parent / "assets"
# Files with long tests, the longest first: begun first, they leave short ones for the end, and no
# worker waits for another's last file (`--no-loadscope-reorder`).
LONG_FILES = (
    "test_docs.py",
    "test_no_network.py",
    "test_evaluation.py",
    "test_training.py",
    "test_jobs.py",
    "test_synth_videos.py",
    "test_batch_run.py",
    "test_training_peers.py",
    "test_footage.py",
    "test_review_tools_page.py",
    "test_review_page.py",
    "test_report_page.py",
    "test_fuzz.py",
    "test_without_torch.py",
    "test_notebook.py",
    "test_baselines_learned.py",
    "test_compare.py",
    "test_doctor.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of a file stay together in one worker, and those that need Ray: a cluster takes long to
    start. Files with long tests come first; the order is else as it was.
    """
    places = {name: place for place, name in enumerate(LONG_FILES)}
    for item in items if config.pluginmanager.hasplugin("xdist") else ():
        ray = "ray_cluster" in getattr(item, "fixturenames", ()) or "[ray" in item.name
        item.add_marker(pytest.mark.xdist_group("ray" if ray else item.path.name))
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights folder of a small, untrained network; its rules find something in almost
    anything.
    """
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    rules = IntervalRules(
        macro_threshold=0.2, micro_threshold=0.2, valley=1.0
    ).to_dict()  # every dip divides
    save_weights(make_network(), folder, training={"data": "nothing"}, rules=rules)
    return folder


@pytest.fixture(scope="session")
def face_models() -> ModelFiles:
    """The face models, where this machine has them (`make test` fetches them)."""
    try:
        return model_files()
    except FaceModelError:
        pytest.skip("face models not in the cache: run `fesnet models import`")


@pytest.fixture(scope="session")
def face_frames() -> list[np.ndarray]:
    """40 frames (240, 320, 3) of the bundled portrait, swaying."""
    photo = cv2.imread(str(ASSETS / "portrait.jpg"))[:, :, ::-1]
    out = []
    for t in range(40):
        x, y = 150 - 6 * np.sin(t / 7), 40 + 2 * np.cos(t / 5)
        matrix = np.array([[1.4, 0, -1.4 * x + 80], [0, 1.4, -1.4 * y + 20]])
        out.append(
            cv2.warpAffine(
                photo, matrix, (320, 240), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
        )
    return out


@pytest.fixture(scope="session")
def face_video(face_frames: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same frames as a lossless video at 25 Hz (40 ms: Matroska keeps that exactly)."""
    return write_video(
        tmp_path_factory.mktemp("video") / "face.mkv", face_frames, codec="ffv1", pixels="bgr0"
    )


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """A Ray cluster of two nodes with a processor each, on this machine; its usage statistics are
    off.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    pytest.importorskip("ray", reason="Ray is not installed: pip install '.[cluster]'")
    from ray.cluster_utils import Cluster

    here = os.pathsep.join([str(Path(__file__).parent), str(ASSETS.parent.parent)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", here)  # of the nodes: their workers import what tests give them
        nodes = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 * 2**20}
        try:
            cluster = Cluster(initialize_head=True, head_node_args=nodes)
            cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)
        except Exception as error:
            if "timed out during startup" not in str(error):
                raise
            pytest.skip("Ray did not start within its 30 s: the machine is too busy")
        yield cluster
        cluster.shutdown()


@pytest.fixture(scope="session")
def ray_executor(ray_cluster: Any) -> Iterator[Any]:
    """The executor on that cluster."""
    from fesnet.jobs import make_executor

    with make_executor(2, ray_cluster.address) as executor:
        yield executor
