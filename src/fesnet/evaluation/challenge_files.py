"""One file for a challenge from a folder of results, or from a table of finds.

2022, 2023: both kinds, `vid, onset, offset, type`. 2024, 2025: micro-expressions with emotions.
2026: answers to the questions about long videos, in the file that asks them.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fesnet._io import atomic_write_text, describe_absence, load_json, read_text_file, write_table
from fesnet._names import comparison_keys
from fesnet.errors import TruthError, UsageError
from fesnet.frame_numbers import FrameNumbers
from fesnet.metrics.interval_tables import IntervalRecord, read_intervals
from fesnet.metrics.video_ids import VideoIndex, find_video, read_video_table, video_name

HEADS = {
    2022: ("vid", "pred_onset", "pred_offset", "type"),
    2023: ("vid", "onset", "offset", "type"),
    2024: ("subject", "video", "onset", "offset", "emotion"),
    2025: ("subject", "video", "onset", "offset", "emotion"),
}
TYPES = {"macro": "mae", "micro": "me"}
EXPRESSION = {"macro": "macro-expression", "micro": "micro-expression"}
COUNT = re.compile(r"how many (micro-|macro-)?expression events", re.IGNORECASE)
NTH = re.compile(r"expression type of the (\d+)-?(?:st|nd|rd|th) expression event", re.IGNORECASE)
UNITS = re.compile(r"action units", re.IGNORECASE)
# Names of the Facial Action Coding System.
UNIT_NAMES = {
    1: "inner brow raiser", 2: "outer brow raiser", 4: "brow lowerer", 5: "upper lid raiser",
    6: "cheek raiser", 7: "lid tightener", 9: "nose wrinkler", 10: "upper lip raiser",
    11: "nasolabial deepener", 12: "lip corner puller", 13: "cheek puffer", 14: "dimpler",
    15: "lip corner depressor", 16: "lower lip depressor", 17: "chin raiser", 18: "lip puckerer",
    20: "lip stretcher", 22: "lip funneler", 23: "lip tightener", 24: "lip pressor",
    25: "lips part", 26: "jaw drop", 27: "mouth stretch", 28: "lip suck", 43: "eyes closed",
    45: "blink",
}  # fmt: skip


def write_submission(found: Path, year: int, out: Path, videos: Path | None = None) -> list[str]:
    """Write the form of a year; returns lines for people.

    found: as of `fesnet score`. videos: a videos.csv with the challenge's names, subjects and
    numbers of files; frames of results are counted from 1 without it. Raises UsageError for another
    year, TruthError for a video that `videos` does not name.
    """
    if year not in HEADS:
        raise UsageError(f"expected a year out of {', '.join(map(str, HEADS))}, got {year}")
    records = read_intervals(found)
    known = [] if videos is None else read_video_table(videos)
    rows = sorted(submission_rows(records, known, year, videos))
    write_table(out, [HEADS[year], *rows])
    lines = [f"wrote {out}: {len(rows)} intervals of {len({r.video for r in records})} videos"]
    if year >= 2024 and not all(r.emotion for r in records if r.interval.kind == "micro"):
        lines.append("  emotions are empty where the finds name none: fesnet recognizes none")
    return lines


def submission_rows(
    records: Sequence[IntervalRecord], known: Sequence[Any], year: int, videos: Path | None
) -> Iterator[tuple[object, ...]]:
    index = VideoIndex(known)
    for record in records:
        subject, name, numbers = record.subject, record.video, None
        if known:
            video = find_video(subject, name, index)
            if video is None:
                raise TruthError(f"expected the videos of {videos}, got {name}; add it there")
            subject, name, numbers = video.subject, video.video, video.numbers
        onset, offset = numbered_ends(record, numbers)
        if year < 2024:
            yield name, onset, offset, TYPES[record.interval.kind]
        elif record.interval.kind == "micro":
            yield subject or name.partition("_")[0], name, onset, offset, record.emotion


def numbered_ends(record: IntervalRecord, numbers: FrameNumbers | None) -> tuple[int, int]:
    """Onset and offset in numbers of files, from 1, both inside."""
    i = record.interval
    if record.is_index and numbers is not None:
        i = numbers.to_numbers(i)
    return i.start + 1 - record.early, i.stop - record.early


def write_answers(found: Path, questions: Path, out: Path) -> list[str]:
    """Answer the questions of MEGC 2026 about long videos; returns lines for people.

    questions: a line of JSON for each, with `video`, `question` and an empty `answer`; they are
    kept, and `answer` is filled: numbers of events, micro-expression or macro-expression, names of
    action units where the finds have them. Raises TruthError for a file that is none.
    """
    events: dict[str, list[IntervalRecord]] = defaultdict(list)
    for record in read_intervals(found):
        events[comparison_keys(record.video)[-1]].append(record)
    lines, empty, unknown = [], 0, set()
    for row in read_questions(questions):
        name = comparison_keys(video_name(str(row["video"])))[-1]
        own = sorted(events.get(name, []), key=lambda r: r.interval)
        unknown |= set() if name in events else {str(row["video"])}
        row["answer"] = answer = answer_question(str(row["question"]), own)
        empty += answer == ""
        lines.append(json.dumps(row, ensure_ascii=False))
    atomic_write_text(out, "".join(f"{line}\n" for line in lines))
    told = [f"wrote {out}: {len(lines)} answers, {empty} of them empty"]
    if unknown:
        some = ", ".join(sorted(unknown)[:3])
        told.append(f"  videos without a find: {len(unknown)} ({some})")
    return told


def read_questions(path: Path) -> Iterator[dict[str, Any]]:
    """Raises UsageError for no file, TruthError for a line that is no question."""
    if not path.is_file():
        raise UsageError(f"expected questions (.jsonl) in {path}, but it {describe_absence(path)}")
    try:
        text = read_text_file(path)
    except (OSError, UnicodeDecodeError) as error:
        raise TruthError(f"expected questions (.jsonl) in {path}, but {error}") from error
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = load_json(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict) or not {"video", "question"} <= set(row):
            raise TruthError(
                f"expected JSON with video and question in {path} line {number}, got {line[:60]!r}"
            )
        yield row


def answer_question(question: str, events: Sequence[IntervalRecord]) -> int | str:
    """events: of the video, by onset. "" where nothing is known.

    An event beyond the last one found is said to be a macro-expression, the commoner kind.
    """
    kinds = [e.interval.kind for e in events]
    if (count := COUNT.search(question)) is not None:
        wanted = (count[1] or "").rstrip("-").lower()
        return sum(not wanted or kind == wanted for kind in kinds)
    if (nth := NTH.search(question)) is not None:
        place = int(nth[1]) - 1
        return EXPRESSION[kinds[place] if 0 <= place < len(kinds) else "macro"]
    if UNITS.search(question):
        numbers = sorted({int(n) for e in events for n in re.findall(r"\d+", e.action_units)})
        return ", ".join(UNIT_NAMES.get(n, f"action unit {n}") for n in numbers)
    return ""
