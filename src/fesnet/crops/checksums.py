"""SHA256SUMS of a prepared folder, as `sha256sum -c` reads it: the ledger of finished files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from fesnet._io import atomic_write_text
from fesnet.jobs.ledger import Ledger

CHECKSUMS = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64})  (.+)")


def read_checksums(folder: Path) -> dict[str, str]:
    """The checksums by name of the file; empty where there is no table."""
    path = folder / CHECKSUMS
    return parse_checksums(path.read_bytes().split(b"\n")) if path.is_file() else {}


def parse_checksums(lines: Iterable[bytes]) -> dict[str, str]:
    """The checksums of all whole lines by name; of a name the last one."""
    found = (LINE.fullmatch(line.decode("utf-8", "replace")) for line in lines)
    return {match[2]: match[1] for match in found if match}


class ChecksumLedger(Ledger):
    """The ledger of one prepared folder. known: checksums by name of the file."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / CHECKSUMS)
        self.known = parse_checksums(self.lines)

    def record(self, name: str, digest: str) -> None:
        """Append a finished file."""
        self.known[name] = digest
        self.append(f"{digest}  {name}".encode())

    def rewrite(self, names: Collection[str]) -> None:
        """Replace the file by one with the checksums of these names alone, in order."""
        atomic_write_text(self.path, "".join(f"{self.known[n]}  {n}\n" for n in sorted(names)))
