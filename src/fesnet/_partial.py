"""Names of files that are being written, and whether their writer is still at work.

    .NAME.TOKEN.part        TOKEN: w, five digits of the process number, two by chance

So a run that clears up what killed ones left takes nothing away from a program beside it.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from pathlib import Path

PARTIAL = re.compile(r"\..+\.(\w{8})\.part")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
MARK = "w"  # earlier versions had hexadecimal digits alone
NUMBER_DIGITS = 5
IDLE_S = 600.0  # s; what nobody has written to for longer was left: numbers come again
OWN: set[str] = set()  # tokens that this process gave


def new_token() -> str:
    """A token of this process."""
    chance = "".join(secrets.choice(DIGITS) for _ in range(2))
    token = MARK + to_digits(os.getpid()) + chance
    OWN.add(token)
    return token


def to_digits(number: int) -> str:
    """The last digits of a process number; systems with greater ones are none we know."""
    out = ""
    for _ in range(NUMBER_DIGITS):
        number, last = divmod(number, len(DIGITS))
        out = DIGITS[last] + out
    return out


def was_left(part: Path) -> bool:
    """Whether a file has the name of a partial one, and its writer is gone."""
    found = PARTIAL.fullmatch(part.name)
    if found is None:
        return False
    token = found[1]
    if not re.fullmatch(rf"{MARK}[0-9a-z]{{7}}", token) or os.name == "nt":
        return True  # of an earlier version; Windows removes no file that is open
    number = int(token[1 : 1 + NUMBER_DIGITS], len(DIGITS))
    alive = token in OWN if number == os.getpid() else is_running(number)
    return not alive or is_idle(part)


def is_running(process: int) -> bool:
    """Whether a process of this machine has that number."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        return True
    return True


def is_idle(part: Path) -> bool:
    """Whether nobody has written to the file for long."""
    try:
        return time.time() - part.stat().st_mtime > IDLE_S
    except OSError:
        return False
