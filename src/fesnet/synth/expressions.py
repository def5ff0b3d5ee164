"""Which facial motions make an expression, and which speech is made of: shares of `motion_basis()`'s motions.

The choice of expressions and all numbers are ours.
"""

from __future__ import annotations

Weights = dict[str, float]

EXPRESSIONS: dict[str, Weights] = {
    "smile": {"mouthSmile": 0.9, "cheekSquint": 0.5, "eyeSquint": 0.2},
    "closed smile": {"mouthSmile": 0.6, "mouthPress": 0.5, "mouthDimple": 0.3},
    "laugh": {"mouthSmile": 1.0, "cheekSquint": 0.8, "jawOpen": 0.3, "eyeSquint": 0.4},
    "brow raise": {"browInnerUp": 0.9, "browOuterUp": 0.9},
    "inner brow raise": {"browInnerUp": 1.0},
    "outer brow raise": {"browOuterUp": 1.0},
    "frown": {"browDown": 1.0},
    "anger": {"browDown": 1.0, "eyeSquint": 0.5, "mouthPress": 0.8},
    "frown, lip corners down": {"browDown": 0.8, "mouthFrown": 0.9, "mouthPress": 0.6},
    "disgust": {"noseSneer": 0.9, "mouthUpperUp": 0.6, "browDown": 0.5},
    "nose wrinkle": {"noseSneer": 1.0},
    "sadness": {"browInnerUp": 0.8, "mouthFrown": 0.9, "mouthShrugLower": 0.3},
    "lip corners down": {"mouthFrown": 1.0},
    "chin raise": {"mouthShrugLower": 0.8},
    "pout": {"mouthShrugUpper": 0.8, "mouthPucker": 0.9, "mouthShrugLower": 0.3},
    "surprise": {"browInnerUp": 1.0, "browOuterUp": 0.9, "eyeWide": 1.0, "jawOpen": 0.4},
    "quiet surprise": {"browInnerUp": 0.8, "browOuterUp": 0.8, "eyeWide": 1.0},
    "fear": {"browInnerUp": 0.9, "browOuterUp": 0.5, "browDown": 0.3, "eyeWide": 0.9, "mouthStretch": 0.9},
    "lip press": {"mouthPress": 1.2, "mouthRollLower": 0.3, "mouthRollUpper": 0.3},
    "dimples": {"mouthDimple": 1.1},
    "pucker": {"mouthPucker": 1.1},
    "funnel": {"mouthFunnel": 1.0},
    "lip stretch": {"mouthStretch": 1.1},
    "cheek puff": {"cheekPuff": 1.0},
    "upper lip raise": {"mouthUpperUp": 1.0},
    "bared teeth": {"mouthUpperUp": 0.8, "mouthLowerDown": 0.9, "mouthStretch": 0.6},
    "lower lip down": {"mouthLowerDown": 1.1},
    "lip suck": {"mouthRollLower": 0.8, "mouthRollUpper": 0.8},
    "mouth to the left": {"mouthLeft": 0.6},
    "mouth to the right": {"mouthRight": 0.6},
    "jaw to the left": {"jawLeft": 0.8},
    "jaw to the right": {"jawRight": 0.8},
    "jaw drop": {"jawOpen": 0.45},
    "squint": {"eyeSquint": 1.0, "cheekSquint": 0.5},
    "wide eyes": {"eyeWide": 1.2},
    "cheek raise": {"cheekSquint": 1.0, "cheekRaiser": 0.5},
    "left wink": {"eyeBlink_L": 1.0, "cheekSquint_L": 0.8, "mouthSmile_L": 0.4},
    "right wink": {"eyeBlink_R": 1.0, "cheekSquint_R": 0.8, "mouthSmile_R": 0.4},
}
MOUTH = ("mouth", "jaw", "cheekPuff")  # beginnings of the names of motions that speech makes, too
ONE_SIDED = 0.22  # share of events shown on one side of the face only (where the motion has sides)
SPEECH: tuple[tuple[str, float], ...] = (
    ("jawOpen", 0.6),
    ("mouthFunnel", 0.5),
    ("mouthPucker", 0.55),
    ("mouthStretch", 0.45),
    ("mouthLowerDown", 0.9),
    ("mouthUpperUp", 0.3),
    ("mouthPress", 0.6),
    ("mouthShrugLower", 0.25),
    ("mouthRollLower", 0.25),
)
