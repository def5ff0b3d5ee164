"""The ledger of a batch, run.jsonl: one JSON object a line.

- `{"event": "start", ...}`: a run begins; version, settings, how many videos.
- `{"event": "done", ...}`: a video's results are on disk; name, path, digest, sha256, stamp, row,
  seconds, tries.
- `{"event": "failed", ...}`: a video could not be done; the same, with its reason.
- `{"event": "end", ...}`: the run came to its end; counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fesnet._io import load_json
from fesnet.errors import TargetError
from fesnet.jobs.ledger import Ledger

LEDGER = "run.jsonl"


@dataclass(frozen=True)
class VideoRecord:
    """What the ledger says of one video.

    name: of its results; key, path: of its video; digest: of the settings (`SpotSettings.digest`);
    scores: digest of the settings that decide the scores; sha256: of the video's content; stamp: of
    its size and time of change, empty where that cannot be trusted; written: stamp of the result;
    row: of the summary; reason: why it failed, or empty; refused: why exports of a result that is
    there were not written, or empty.
    """

    name: str
    key: str
    path: str
    digest: str
    sha256: str = ""
    stamp: str = ""
    written: str = ""
    subject: str = ""
    row: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    refused: str = ""
    scores: str = ""


class BatchLedger(Ledger):
    """The ledger of one output folder. records: of each video the last, by its results' name."""

    def __init__(self, folder: Path) -> None:
        """Raises TargetError for a file of that name that is no ledger."""
        super().__init__(folder / LEDGER)
        whole = self.lines[:-1]  # a last line without its end is what a kill left
        if any(line.strip() for line in whole) and not any(parse_events(self.lines)):
            self.close()
            raise TargetError(
                f"expected the list of a batch in {folder / LEDGER}, got something else; move it "
                "away, or name another folder"
            )
        self.records: dict[str, VideoRecord] = {}
        for event in parse_events(self.lines):
            record = parse_record(event)
            if record is not None:
                self.records[record.name] = record

    def append_event(self, event: str, **values: Any) -> None:
        """Append one line, with the time."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.append(json.dumps({"event": event, "time": now, **values}).encode())

    def record(self, record: VideoRecord, **more: Any) -> None:
        """Append the record of a video that is done or failed."""
        self.records[record.name] = record
        self.append_event("failed" if record.reason else "done", **asdict(record), **more)


def parse_events(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    """The events of all lines that are whole."""
    for line in lines:
        try:
            event = load_json(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict):
            yield event


def parse_record(event: dict[str, Any]) -> VideoRecord | None:
    """The record of an event. None if it holds none or a damaged one: its video is done again."""
    if event.get("event") not in ("done", "failed"):
        return None
    known = {name: event[name] for name in VideoRecord.__dataclass_fields__ if name in event}
    texts = all(isinstance(value, str) for name, value in known.items() if name != "row")
    if not texts or not isinstance(known.get("row", {}), dict):
        return None
    try:
        return VideoRecord(**known)
    except TypeError:
        return None
