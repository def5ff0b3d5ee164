"""The program: `fesnet`, and `python -m fesnet` for launchers that take a module, such as torchrun.

Ctrl-C ends it without a word of Python's, from the first line on to the last one.
"""

from __future__ import annotations

import os
import signal

STOPPED = 130  # exit code, as shells give it


def start_program() -> None:
    """Run the command line. Until it is imported, and once it has ended, Ctrl-C ends the process at
    once: there is nothing to be tidied up. One that is ignored (nohup) stays so.
    """
    heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heard:
        signal.signal(signal.SIGINT, end_at_once)
    from fesnet.cli import main as run

    if heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run()
    finally:
        if heard:
            signal.signal(signal.SIGINT, end_at_once)


def end_at_once(*_: object) -> None:
    """End the process."""
    os._exit(STOPPED)


if __name__ == "__main__":
    start_program()
