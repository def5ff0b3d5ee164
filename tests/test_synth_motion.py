"""What happens in a performance: expressions, speech, blinks, heads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fesnet.synth.render.avatar import face_motion
from fesnet.synth.script.basis import motion_basis
from fesnet.synth.script.config import SynthConfig
from fesnet.synth.script.curves import intensity_curve, smooth_noise
from fesnet.synth.script.expressions import EXPRESSIONS, FREQUENCY, SPEECH_LIKE, repertoire
from fesnet.synth.script.speech import Speaker, add_speech
from fesnet.synth.script.writer import ScriptWriter, write_script


def test_script_is_deterministic_and_differs_by_seed() -> None:
    a, b, c = (write_script(np.random.default_rng(s), 300, SynthConfig()) for s in (1, 1, 2))
    assert np.array_equal(a.weights, b.weights)
    assert a.events == b.events
    assert not np.array_equal(a.pose, c.pose)


def test_durations_decide_the_kind() -> None:
    """What is seen of a micro-expression lasts half a second at most, of a macro-expression at
    least.
    """
    lengths: dict[str, list[int]] = {"macro": [], "micro": []}
    for seed in range(60):
        script = write_script(np.random.default_rng(seed), 900, SynthConfig())
        for event in script.events:
            if event.start > 0 and event.stop < 900:
                lengths[event.kind].append(event.length)
            assert script.intensity[event.start : event.stop].max() > 0
    assert max(lengths["micro"]) == 15 <= min(lengths["macro"])
    assert min(lengths["micro"]) >= 4
    assert 30 < np.median(lengths["macro"]) < 60


def test_who_speaks_shows_what_speech_does_not() -> None:
    names, shares = repertoire(speaks=True)
    assert not set(names) & SPEECH_LIKE
    assert {"smile", "frown", "lip corners down"} < set(names)
    assert sum(shares) == pytest.approx(1)
    assert set(repertoire(speaks=False)[0]) == set(EXPRESSIONS) >= SPEECH_LIKE | set(FREQUENCY)

    for share in (0.0, 1.0):
        writer = ScriptWriter(np.random.default_rng(0), 300, SynthConfig(speech_share=share))
        writer.write()
        assert writer.repertoire == repertoire(speaks=share == 1.0)

    config = SynthConfig(quiet_share=0.0, macro_per_minute=30, gaze_per_minute=0.001)
    funnel = [i for i, n in enumerate(motion_basis().names) if n.startswith("mouthFunnel")]
    for seed in range(10):
        talking, mute = (ScriptWriter(np.random.default_rng(seed), 1800, config) for _ in range(2))
        talking.repertoire, mute.repertoire = repertoire(speaks=True), (("funnel",), (1.0,))
        talking.write_expressions()
        mute.write_expressions()
        assert np.abs(talking.weights[:, funnel]).max() == 0 < np.abs(mute.weights[:, funnel]).max()


def test_common_expressions_are_shown_more_often() -> None:
    names, _ = repertoire(speaks=False)
    writer = ScriptWriter(np.random.default_rng(0), 900, SynthConfig())
    drawn = [writer.draw_expression_name() for _ in range(4000)]
    assert set(drawn) == set(names)
    assert (
        drawn.count("frown") > 2 * drawn.count("nose wrinkle") > 4 * drawn.count("jaw to the left")
    )


def test_a_wink_is_never_one_sided_on_the_other_side() -> None:
    lid = motion_basis().names.index("eyeBlink_L")
    for seed in range(30):
        writer = ScriptWriter(np.random.default_rng(seed), 60, SynthConfig())
        writer.repertoire = (("left wink",), (1.0,))
        writer.show_expression(10, np.ones(20, np.float32), np.zeros(0, np.float32), whole=False)
        assert writer.weights[15, lid] > 0.5


def test_quiet_script_has_no_event_but_moves() -> None:
    script = write_script(
        np.random.default_rng(3), 600, SynthConfig(quiet_share=1.0, speech_share=1.0)
    )
    assert script.events == ()
    assert script.labels().max() == 0
    assert np.abs(script.weights).max() > 0.1


def test_lead_lets_a_script_open_inside_an_event() -> None:
    opened = [
        write_script(np.random.default_rng(s), 60, SynthConfig(), lead=120) for s in range(40)
    ]
    assert all(len(s) == 60 for s in opened)
    assert any(e.start == 0 and s.intensity[0] > 0.1 for s in opened for e in s.events)


def test_curve_rises_and_falls() -> None:
    curve = intensity_curve(40, 0.3, 0.4, 1.0)
    assert curve.max() == pytest.approx(1, abs=1e-3)
    assert curve[0] < 0.05
    assert curve[-1] < 0.05
    assert (np.diff(curve[:12]) >= -1e-6).all()
    assert (np.diff(curve[25:]) <= 1e-6).all()


def test_wander_is_smooth_and_of_the_asked_size() -> None:
    track = np.concatenate(
        [smooth_noise(np.random.default_rng(s), 500, 10, 2.0) for s in range(20)]
    )
    assert track.std() == pytest.approx(1.7, rel=0.2)
    assert np.abs(np.diff(smooth_noise(np.random.default_rng(0), 500, 10, 2.0))).max() < 2.0


def test_long_pauses_leave_words_alone() -> None:
    """Share of frames in which somebody speaks, and bursts of speech a minute, by the length of the
    pauses.
    """

    def spoken(pause: float) -> tuple[float, float]:
        config = SynthConfig(quiet_share=1.0, speech_share=1.0, speech_pause=(pause, pause))
        jaw = motion_basis().names.index("jawOpen")
        moving = np.concatenate(
            [
                write_script(np.random.default_rng(i), 900, config).weights[:, jaw] > 1e-4
                for i in range(20)
            ]
        )
        return float(moving.mean()), float(
            (np.diff(moving.astype(int)) == 1).sum() / (len(moving) / 1800)
        )

    often, seldom = spoken(0.5), spoken(12.0)
    assert seldom[0] < 0.5 * often[0]
    assert seldom[1] < often[1]


def test_speech_in_sounds_moves_the_lower_lip_most_and_begins_at_rest() -> None:
    """As the landmark model sees people speak: pixels of a 96 px crop, over many speakers."""
    phrases = [Speaker(np.random.default_rng(seed)).phrase(90, 30.0) for seed in range(20)]
    again = Speaker(np.random.default_rng(3)).phrase(90, 30.0)
    np.testing.assert_array_equal(phrases[3], again)
    moved = 96 * np.stack(
        [face_motion(p)[:, [17, 0, 61], 1] for p in phrases]
    )  # lower lip, upper lip, a corner
    lower, upper, corner = np.median(np.ptp(moved, 1), 0)
    assert lower > 2 * upper
    assert 3 < lower < 12
    assert 0.5 < corner < 5
    assert all(np.abs(face_motion(p)[0]).max() * 96 < 4 for p in phrases)


def test_speech_in_sounds_is_no_expression() -> None:
    config = SynthConfig(
        quiet_share=1.0, speech_share=1.0, sounds_share=1.0, blinks_per_minute=0.001
    )
    script = write_script(np.random.default_rng(0), 900, config)
    assert script.events == ()
    assert script.intensity.max() == 0
    assert np.abs(script.weights[:, motion_basis().names.index("jawOpen")]).max() > 0.01


def test_nobody_speaks_through_an_expression_of_the_mouth_unless_asked_to() -> None:
    """Speech by itself: the script with speech less the one without, from the same draws of
    expressions.
    """
    config = SynthConfig(quiet_share=0.0, speech_share=1.0, macro_per_minute=20, talk_over=0.0)

    during, otherwise = [], []
    for seed in range(12):
        writer = ScriptWriter(np.random.default_rng(seed), 900, config)
        writer.write_expressions()
        shown, silent = writer.weights.copy(), writer.silent > 0
        add_speech(writer, np.zeros(900, np.float32))
        spoken = np.abs(writer.weights - shown).max(1)
        during.append(spoken[silent])
        otherwise.append(spoken[~silent])
    assert len(np.concatenate(during)) > 1000
    assert np.concatenate(during).mean() < 0.05 * np.concatenate(otherwise).mean()
    chatty = ScriptWriter(np.random.default_rng(0), 900, replace(config, talk_over=1.0))
    chatty.write_expressions()
    assert chatty.events
    assert not chatty.silent.any()


def test_micro_expressions_are_seldom_short() -> None:
    config = SynthConfig(quiet_share=0.0, macro_per_minute=0.0, micro_per_minute=60)
    events = [
        e for s in range(20) for e in write_script(np.random.default_rng(s), 900, config).events
    ]
    seconds = np.array([e.length for e in events if e.start > 0 and e.stop < 900]) / 30
    assert 0.3 < np.median(seconds) < 0.45
    assert seconds.min() >= 0.1
    assert seconds.max() <= 0.5


def test_heads_turn_and_do_not_come_back() -> None:
    """How far the mean direction of a script's end lies from that of its start, over many
    scripts.
    """

    def moved(share: float) -> float:
        config = SynthConfig(quiet_share=1.0, speech_share=0.0, turning_share=share)
        poses = [write_script(np.random.default_rng(i), 600, config).pose for i in range(30)]
        assert max(np.abs(p[:, 0]).max() for p in poses) <= 0.3801
        return float(np.median([np.abs(p[-60:, 0].mean() - p[:60, 0].mean()) for p in poses]))

    assert moved(1.0) > 3 * moved(0.0)


def test_who_sits_still_moves_little_and_says_nothing() -> None:
    """Head, alignment and mouth of calm scripts and of others, from frame to frame."""
    jaw = motion_basis().names.index("jawOpen")

    def moves(share: float) -> np.ndarray:
        config = SynthConfig(quiet_share=1.0, speech_share=1.0, turning_share=0.5, calm_share=share)
        scripts = [write_script(np.random.default_rng(i), 600, config) for i in range(20)]
        tracks = [(s.pose, s.jitter, s.weights[:, jaw]) for s in scripts]
        return np.mean(
            [[np.abs(np.diff(track, axis=0)).mean() for track in three] for three in tracks], 0
        )

    lively, calm = moves(0.0), moves(1.0)
    assert (calm < 0.6 * lively).all()
    assert calm[2] < 0.1 * lively[2]  # of a jaw, swallowing is left


def test_brows_follow_a_look_upwards_and_blinks_reach_further() -> None:
    config = SynthConfig(quiet_share=1.0, speech_share=0.0)
    wide = replace(config, blink_reach=3.0, brows_follow=0.5)
    names = motion_basis().names
    for name in ("browInnerUp_L", "browDown_L"):
        at = next(i for i, n in enumerate(names) if n.startswith(name.removesuffix("_L")))
        calm, lively = (
            max(
                float(write_script(np.random.default_rng(i), 900, c).weights[:, at].max())
                for i in range(8)
            )
            for c in (config, wide)
        )
        assert lively > calm + 0.05


def test_a_face_that_does_not_relax_is_neutral_all_the_same() -> None:
    """Behind its interval something of an expression is left for seconds; intensity is that of the
    interval.
    """
    config = SynthConfig(
        micro_per_minute=0, macro_per_minute=4, speech_share=0, blinks_per_minute=0.01
    )
    config = replace(config, gaze_per_minute=0.01, head_scale=0.0, held_share=0.0)

    def left(share: float) -> list[float]:
        out = []
        for seed in range(20):
            script = write_script(
                np.random.default_rng(seed), 900, replace(config, residue_share=share), lead=600
            )
            moved = np.abs(script.weights).sum(1) + script.smile
            stops = [
                e.stop
                for e in script.events
                if e.stop + 12 < 900 and not script.labels()[e.stop : e.stop + 12].any()
            ]
            out += [float(moved[s + 10] / moved.max()) for s in stops]
            assert all(script.intensity[s + 10] < 0.01 for s in stops)
        return out

    assert np.mean(left(1.0)) > 2 * np.mean(left(0.0)) + 0.02


def test_blinks_and_nods_come_with_expressions() -> None:
    calm = SynthConfig(speech_share=0, quiet_share=0, blinks_per_minute=0.01, head_scale=0.3)
    lid = motion_basis().names.index("eyeBlink_L")

    def moves(config: SynthConfig) -> tuple[float, float]:
        scripts = [write_script(np.random.default_rng(seed), 600, config) for seed in range(12)]
        closed = np.mean([(s.weights[:, lid] > 0.7).mean() for s in scripts])
        return float(closed), float(np.mean([np.ptp(s.pose, axis=0).sum() for s in scripts]))

    closed, turned = moves(calm)
    more, further = moves(replace(calm, edge_blinks=1.0, nod_share=1.0))
    assert more > 2 * closed + 0.02
    assert further > 1.1 * turned


@pytest.mark.parametrize(
    ("macro", "micro", "kinds"), [(6, 0, {"macro"}), (0, 6, {"micro"}), (0, 0, set())]
)
def test_a_kind_that_is_not_wanted_does_not_come(
    macro: float, micro: float, kinds: set[str]
) -> None:
    config = SynthConfig(macro_per_minute=macro, micro_per_minute=micro, quiet_share=0.0)
    scripts = [write_script(np.random.default_rng(seed), 1800, config) for seed in range(20)]
    assert {event.kind for script in scripts for event in script.events} == kinds


def test_eyes_may_be_told_to_keep_still() -> None:
    config = SynthConfig(blinks_per_minute=0.0, gaze_per_minute=0.0, quiet_share=1.0)
    script = write_script(np.random.default_rng(3), 900, config)
    lids = [i for i, n in enumerate(motion_basis().names) if n.startswith("eyeBlink")]
    assert not script.gaze.any()
    assert not script.weights[:, lids].any()
