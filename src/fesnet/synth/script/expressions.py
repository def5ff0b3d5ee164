"""Which motions of `motion_basis()` make an expression and how often it is shown, and which of them
speech is made of.

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
    "fear": {
        "browInnerUp": 0.9,
        "browOuterUp": 0.5,
        "browDown": 0.3,
        "eyeWide": 0.9,
        "mouthStretch": 0.9,
    },
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
# Mouths that people pose without a word, beside those above: shapes that speech makes, too, but
# longer and rounder, wider or tighter than a sound. Shown where `posed mouth` is drawn
# (`fesnet.synth.script.nuisances`); they are expressions.
POSED_MOUTHS: dict[str, Weights] = {
    "O mouth": {"mouthFunnel": 0.8, "jawOpen": 0.35},
    "wide O mouth": {"mouthFunnel": 0.5, "jawOpen": 0.6, "browOuterUp": 0.2},
    "kiss": {"mouthPucker": 1.3, "mouthFunnel": 0.2},
    "pressed lips": {"mouthPress": 1.4, "mouthRollLower": 0.4, "mouthRollUpper": 0.4},
    "rolled lips": {"mouthRollLower": 0.95, "mouthRollUpper": 0.95, "mouthClose": 0.1},
    "bared lips": {"mouthUpperUp": 1.0, "mouthLowerDown": 1.1, "mouthStretch": 0.5},
    "wide open mouth": {"jawOpen": 0.7, "mouthLowerDown": 0.3},
    "grimace": {"mouthStretch": 1.2, "mouthLowerDown": 0.6, "mouthFrown": 0.3},
}
# Of the list above, what a person poses among them.
POSED_TOO = (
    *("pucker", "funnel", "lip press", "lip suck", "pout", "bared teeth", "lip stretch"),
    *("mouth to the left", "mouth to the right", "jaw drop", "cheek puff", "smile"),
)
# How often each is shown, 1 where nothing is said. Follows, roughly, how often action units are
# coded in posed faces (Cohn-Kanade: 4 and 1 most, then 6, 7, 2, 12, 5 with them, 15, 20, 9, 23, 24)
# and in faint spontaneous ones (4, 7, 12, 14; this not verified). A jaw that goes aside, puffed
# cheeks, or lids that rise alone are coded seldom.
FREQUENCY: dict[str, float] = {
    "smile": 3.0,
    "closed smile": 2.0,
    "brow raise": 2.0,
    "inner brow raise": 1.5,
    "frown": 3.0,
    "anger": 1.5,
    "disgust": 1.5,
    "surprise": 1.5,
    "quiet surprise": 1.5,
    "lip corners down": 1.5,
    "lip press": 1.5,
    "dimples": 1.5,
    "squint": 1.5,
    "pout": 0.5,
    "pucker": 0.4,
    "lip stretch": 0.6,
    "lip suck": 0.4,
    "bared teeth": 0.3,
    "lower lip down": 0.3,
    "jaw drop": 0.3,
    "wide eyes": 0.3,
    "funnel": 0.15,
    "cheek puff": 0.15,
    "mouth to the left": 0.15,
    "mouth to the right": 0.15,
    "left wink": 0.15,
    "right wink": 0.15,
    "jaw to the left": 0.1,
    "jaw to the right": 0.1,
}
# What speech does, too. Coders of faces disregard it in people who speak, as nobody can tell it
# from a sound (FACS, scoring during speech); brows, lids, nose and the corners of the mouth are
# coded as ever.
SPEECH_LIKE = frozenset(
    {
        "chin raise",
        "pout",
        "lip press",
        "pucker",
        "funnel",
        "lip stretch",
        "upper lip raise",
        "bared teeth",
        "lower lip down",
        "lip suck",
        "jaw drop",
    }
)
MOUTH_PREFIXES = (
    "mouth",
    "jaw",
    "cheekPuff",
)  # beginnings of the names of motions that speech makes, too
ONE_SIDED_SHARE = (
    0.22  # share of events shown on one side of the face only (where the motion has sides)
)
SPEECH_MOTIONS: tuple[tuple[str, float], ...] = (
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


def posed_repertoire() -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The mouths that a person poses who does not speak, and the share of each."""
    names = (*POSED_MOUTHS, *POSED_TOO)
    often = [1.0 if name in POSED_MOUTHS else 0.5 for name in names]
    return names, tuple(x / sum(often) for x in often)


def expression_weights(name: str) -> Weights:
    """What makes an expression of either list."""
    return EXPRESSIONS[name] if name in EXPRESSIONS else POSED_MOUTHS[name]


def repertoire(speaks: bool) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The expressions that a person shows, and the share of each; those who speak leave out what
    speech does, too.
    """
    names = tuple(name for name in EXPRESSIONS if not (speaks and name in SPEECH_LIKE))
    often = [FREQUENCY.get(name, 1.0) for name in names]
    return names, tuple(x / sum(often) for x in often)
