"""Every error that fesnet raises on purpose.

    FesnetError                 base; the command line prints its one line and exits with 1
    ├── UsageError              the call itself is wrong (option, path, value); exit code 2
    │   └── TargetError         one file cannot be written at its place; others may
    ├── SourceError             a video, image folder or camera cannot be read
    ├── FaceModelError          face models missing, not downloadable, or not the pinned ones
    ├── CheckpointError         weights or their config are damaged or not understood
    ├── ResultError             a result file is damaged or of an unknown schema
    ├── TruthError              an annotation or truth file is damaged
    ├── WorkerError             a worker process died, or ended in an error that nobody expected
    └── MissingExtraError       an optional part is not installed (says which extra to install)

Messages follow one form: expected what, got what, do what.
"""

from __future__ import annotations

LONGEST_LINE = 2000  # characters of what people should read


class FesnetError(Exception):
    """Base of all errors of this package; `exit_code` is what the command line returns."""

    exit_code = 1

    def __str__(self) -> str:
        """The line; where a damaged file put a million characters into it, without its middle."""
        text = super().__str__()
        if len(text) <= LONGEST_LINE:
            return text
        return f"{text[: LONGEST_LINE * 2 // 3]} ... {text[-LONGEST_LINE // 4 :]}"


class UsageError(FesnetError):
    """The call itself is wrong: an unknown option value, a path that does not exist."""

    exit_code = 2


class TargetError(UsageError):
    """One file cannot be written at its place: its name is refused there, or a file stands there
    that fesnet did not write, or that was changed since. Other files may be written all the same.
    """


class SourceError(FesnetError):
    """A video source cannot be opened, or holds nothing that can be decoded."""


class FaceModelError(FesnetError):
    """The face models are missing, cannot be fetched, or are not the pinned ones."""


class CheckpointError(FesnetError):
    """Weights or their config are damaged, or written by an unknown version."""


class ResultError(FesnetError):
    """A result file is damaged or of an unknown schema version."""


class TruthError(FesnetError):
    """An annotation or truth file is damaged or has columns that were not expected."""


class WorkerError(FesnetError):
    """A worker process died (killed, out of memory), or ended in an error that nobody expected."""


class MissingExtraError(FesnetError):
    """An optional dependency is not installed; the message names the extra that brings it."""
