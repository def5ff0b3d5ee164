"""The run log: one JSON object a line, appended and synced, so that a kill or a power cut loses at
most one line.

    {"event": "start", ...}      a run begins: version, settings, how many videos {"event": "done",
    ...}       a video's results are on disk: name, path, digest, sha256, stamp, row, seconds, tries
    {"event": "failed", ...}     a video could not be done: the same, with its reason {"event":
    "end", ...}        the run came to its end: counts

It says what is finished; results are never taken as finished because of their names alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from fesnet._io import lock_folder
from fesnet.errors import UsageError

LOG = "run.jsonl"


@dataclass(frozen=True)
class Record:
    """The last word on one video. digest: of the settings (`Settings.digest`); sha256: of the
    video's content; stamp: of its size and time of change, empty where that cannot be trusted;
    written: stamp of the result; row: what the summary says of it; reason: why it failed, empty if
    it did not."""

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


class RunLog:
    """The log of one output folder, held by one run at a time; a context manager. `records`: by the
    results' name.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOG
        try:
            self.handle = self.path.open("a+b", buffering=0)
        except OSError as error:
            raise UsageError(
                f"expected to write {self.path}, got '{error.strerror}'; name another --out"
            ) from error
        lock_folder(self.handle, folder)
        self.records: dict[str, Record] = {}
        for event in self.events():
            record = read_record(event)
            if record is not None:
                self.records[record.name] = record

    def events(self) -> Iterator[dict[str, Any]]:
        """What stands in the log; a line that a kill or a full disk cut off is passed over, and
        ended.
        """
        self.handle.seek(0)
        last = b"\n"
        for last in self.handle:
            try:
                event = json.loads(last)
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event
        if not last.endswith(b"\n"):
            self.append(b"\n")

    def append(self, line: bytes) -> None:
        try:
            self.handle.write(line)
            os.fsync(self.handle.fileno())
        except OSError as error:
            raise UsageError(
                f"expected to write {self.path}, got '{error.strerror}'; free space and go on"
            ) from error

    def tell(self, event: str, **values: Any) -> None:
        """Append one line, with the time."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.append(json.dumps({"event": event, "time": now, **values}).encode() + b"\n")

    def settle(self, record: Record, **more: Any) -> None:
        """Append a video's last word."""
        self.records[record.name] = record
        self.tell("failed" if record.reason else "done", **asdict(record), **more)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.handle.close()


def read_record(event: dict[str, Any]) -> Record | None:
    """The record of a line, None if it holds none or a damaged one: its video is done again
    then.
    """
    if event.get("event") not in ("done", "failed"):
        return None
    known = {name: event[name] for name in Record.__dataclass_fields__ if name in event}
    texts = all(isinstance(value, str) for name, value in known.items() if name != "row")
    if not texts or not isinstance(known.get("row", {}), dict):
        return None
    try:
        return Record(**known)
    except TypeError:
        return None
