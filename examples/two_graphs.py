"""FESNet without fesnet: its two ONNX graphs run by onnxruntime and numpy alone, as any other
language would run them.

usage: python two_graphs.py WEIGHTS_FOLDER FACES.npz

FACES.npz: crops (N, 96, 96, 3) uint8, aligned, black outside the face; shapes (N, 128) float32;
both at 30 a second. Prints a line for each frame: seconds, probability of a macro- and of a
micro-expression.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

folder, faces = Path(sys.argv[1]), np.load(sys.argv[2], allow_pickle=False)
config = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model"]
window, stride = config["reach"] * config["window"], config["reach"] * config["stride"]
encode = onnxruntime.InferenceSession(
    str(folder / "encode.onnx"), providers=["CPUExecutionProvider"]
)
decode = onnxruntime.InferenceSession(
    str(folder / "decode.onnx"), providers=["CPUExecutionProvider"]
)

# Once a frame: pixels to what a window adds of frame and reference; the numbers of the shape fill
# more rows behind.
features = encode.run(["projected"], {"crops": faces["crops"]})[0]
if config["shape"]:
    rows = faces["shapes"].reshape(len(features), -1, features.shape[-1])
    features = np.concatenate([features, rows], 1)


def resample(rows: np.ndarray, count: int) -> np.ndarray:
    """Rows (N, ...) at `count` even places from the first to the last."""
    places = np.linspace(0, len(rows) - 1, count)
    left = np.minimum(places.astype(int), max(0, len(rows) - 2))
    share = (places - left).reshape(-1, *[1] * (rows.ndim - 1)).astype(rows.dtype)
    right = np.minimum(left + 1, len(rows) - 1)
    return np.asarray(rows[left] + share * (rows[right] - rows[left]))


# Overlapping windows, each looked at forwards and backwards, where it is shown slower; where they
# overlap, the mean, with weights that fall over 40 ticks towards a window's ends. The last one ends
# with the video and counts from where no other starts; of a video shorter than a window it is all,
# to and fro if that is less than 80 ticks.
count = len(features)
sums, weights = np.zeros((count, 2)), np.zeros((count, 1))
starts = range(0, count - window + 1, stride)
views = [(start + np.arange(window), start) for start in starts]
last = min(count, window) - 1
period = max(1, 2 * last)
there = np.arange(max(last + 1, min(80, window))) % period
views.append((count - 1 - last + np.minimum(there, period - there), len(starts) * stride))
for forwards, first in views:
    backwards = forwards.min() + forwards.max() - forwards
    for frames, slower in ((forwards, 1), (backwards, config.get("backward_stretch", 1))):
        shown = resample(features[frames], round((len(frames) - 1) * slower) + 1)
        logits = decode.run(["logits"], {"projected": shown[None]})[0][-1, 0].astype(np.float64)
        raised = np.exp(logits - logits.max(-1, keepdims=True))
        probabilities = resample((raised / raised.sum(-1, keepdims=True))[:, 1:], len(frames))
        ramp = np.arange(len(frames)) + 0.5
        weight = np.minimum(np.minimum(ramp, ramp[::-1]) / 40, 1)[:, None]
        new = frames >= first
        np.add.at(sums, frames[new], (probabilities * weight)[new])
        np.add.at(weights, frames[new], weight[new])
for i, (macro, micro) in enumerate(sums / weights):
    print(f"{i / config['working_rate']:.3f} {macro:.4f} {micro:.4f}")
