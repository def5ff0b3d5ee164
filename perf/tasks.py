"""What is measured, one task in a process of its own.

usage: python perf/tasks.py TASK VIDEO [FRAMES [TURN]]

Prints JSON: wall and CPU seconds of the task alone (models loaded before), frames, peak memory of
the process (MB). With TURN, it first waits for a line on standard input before each so many frames,
and prints one: so several tasks take turns, and a busy machine troubles all of them alike.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

Task = Callable[[str, int], int]
TURN = int(sys.argv[4]) if len(sys.argv) > 4 else 0  # frames of a turn; 0: no turns are taken


def take_turns(frames: Iterable[Any]) -> Iterator[Any]:
    """The frames; before each `TURN` of them others have theirs."""
    for index, frame in enumerate(frames):
        if TURN and index % TURN == 0:
            print("turn", flush=True)
            sys.stdin.readline()
        yield frame


def pictures(path: str, form: str, most: int) -> Iterator[np.ndarray]:
    """Frames by plain PyAV, one thread."""
    container = av.open(path)
    container.streams.video[0].thread_type = "NONE"
    frames = islice(container.decode(video=0), most)
    return (f.to_ndarray(format=form, threads=1) for f in take_turns(frames))


def decode(path: str, most: int) -> int:
    return sum(1 for _ in pictures(path, "rgb24", most))


def spotter_of(runtime: str) -> Task:
    from fesnet.spotter import Spotter

    spotter = Spotter(runtime=runtime)  # type: ignore[arg-type]
    spotter.frames = take_turns  # type: ignore[assignment,method-assign]
    return lambda path, most: len(spotter.spot(path).frame_times)


def spot() -> Task:
    return spotter_of("onnx")


def torch() -> Task:
    return spotter_of("torch")


def stream() -> Task:
    """A camera's way: frames pushed one by one."""
    from fesnet.spotter import Spotter
    from fesnet.video import open_source

    spotter = Spotter()

    def run(path: str, most: int) -> int:
        pushed = spotter.stream()
        for frame in open_source(path):
            pushed.push(frame)
        pushed.finish()
        return len(pushed.frame_times)

    return run


def mesh() -> Task:
    """Our ONNX conversion of Face Mesh on every frame, the region taken from the frame before;
    nothing else.
    """
    from fesnet.faces import BlazeFaceDetector, FaceMesh, ensure_models
    from fesnet.faces.landmarks import region_of_detection, region_of_landmarks

    models = ensure_models()
    detector, model = BlazeFaceDetector(models.detector), FaceMesh(models.landmarks)

    def run(path: str, most: int) -> int:
        region, count = None, 0
        for image in pictures(path, "rgb24", most):
            if region is None:
                found = detector.detect(image)
                region = region_of_detection(found[0]) if found else None
            if region is not None:
                ((landmarks, presence),) = model.landmarks(image, [region])
                region = region_of_landmarks(landmarks) if presence > 0.5 else None
            count += 1
        return count

    return run


def mediapipe() -> Task:
    """MediaPipe's own package, as its users run it on a video. Needs an interpreter that has it."""
    import mediapipe as mp

    model = mp.solutions.face_mesh.FaceMesh(static_image_mode=False, max_num_faces=1)

    def run(path: str, most: int) -> int:
        return sum(1 for image in pictures(path, "rgb24", most) if model.process(image) is not None)

    return run


def flow_of(make: Callable[[], Callable[[np.ndarray, np.ndarray], np.ndarray]], side: int) -> Task:
    """Dense flow between neighbouring frames of the face's square, shrunk to `side`; decoding
    included.
    """
    calculate = make()

    def run(path: str, most: int) -> int:
        before, count = None, 0
        for image in pictures(path, "gray", most):
            off = (image.shape[1] - image.shape[0]) // 2
            square = image[:, max(off, 0) : max(off, 0) + image.shape[0]]
            small = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
            if before is not None:
                calculate(before, small)
            before, count = small, count + 1
        return count

    return run


def farneback_method() -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return lambda a, b: cv2.calcOpticalFlowFarneback(  # type: ignore[call-overload]
        a, b, None, 0.5, 3, 15, 3, 5, 1.2, 0
    )


def dis_method() -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    method: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return lambda a, b: method.calc(a, b, None)


def tvl1_method() -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    method = cv2.optflow.DualTVL1OpticalFlow_create()  # type: ignore[attr-defined]
    return lambda a, b: method.calc(a, b, None)


FLOWS = {"farneback": farneback_method, "dis": dis_method, "tvl1": tvl1_method}
TASKS = {"spot": spot, "torch": torch, "stream": stream, "mesh": mesh, "mediapipe": mediapipe}


def task_of(name: str) -> Task:
    """The task of a name: decode, one of TASKS, or FLOW-SIDE."""
    if name == "decode":
        return decode
    if name in TASKS:
        return TASKS[name]()
    flow, side = name.split("-")
    return flow_of(FLOWS[flow], int(side))


def main() -> None:
    name, path = sys.argv[1], sys.argv[2]
    cv2.setNumThreads(1)
    task = task_of(name)
    wall, cpu = time.perf_counter(), time.process_time()
    frames = task(str(Path(path)), int(sys.argv[3]) if len(sys.argv) > 3 else 10**9)
    out = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "frames": frames}
    print(json.dumps({**out, "peak_mb": peak_mb()}))


def peak_mb() -> float:
    """Peak memory of this process. Linux hands the parent's down in ru_maxrss; its own stands in
    /proc.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return (
            next(
                int(line.split()[1]) for line in status.read_text().splitlines() if "VmHWM" in line
            )
            / 1024
        )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
