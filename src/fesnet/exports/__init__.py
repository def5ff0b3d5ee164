"""Writers of a result in the formats of other programs, one file each.

`fesnet.exports.elan_reader` reads ELAN files back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from fesnet._guard import check_replaceable, replacing
from fesnet._io import encode_text, file_exists, is_result, make_folder
from fesnet.errors import FesnetError, ResultError, TargetError, UsageError
from fesnet.exports.activitynet import write_activitynet
from fesnet.exports.bids import write_bids
from fesnet.exports.blinks import write_blinks
from fesnet.exports.boris import write_boris
from fesnet.exports.common import video_id
from fesnet.exports.csv import table_of_result, without_later_columns, write_csv
from fesnet.exports.elan import write_elan
from fesnet.exports.frames import write_frames_csv, write_frames_parquet
from fesnet.exports.json import write_json
from fesnet.exports.labelstudio import write_labelstudio
from fesnet.exports.megc import NEWEST_SPOTTING, YEARS, write_megc
from fesnet.exports.subtitles import write_srt, write_vtt
from fesnet.exports.textgrid import write_textgrid
from fesnet.result import Spotting

WRITERS: dict[str, Callable[[Spotting, Path], None]] = {
    "csv": write_csv,
    "json": write_json,
    "eaf": write_elan,
    "textgrid": write_textgrid,
    "vtt": write_vtt,
    "srt": write_srt,
    "boris": write_boris,
    "labelstudio": write_labelstudio,
    "activitynet": write_activitynet,
    "bids": write_bids,
    "megc": write_megc,
    "frames": write_frames_csv,
    "frames-parquet": write_frames_parquet,
    "blinks": write_blinks,
}
# What follows the video's name; an ending that several formats share names its format.
ENDINGS = {
    "eaf": ".eaf",
    "textgrid": ".TextGrid",
    "vtt": ".vtt",
    "srt": ".srt",
    "boris": ".boris",
    "labelstudio": ".labelstudio.json",
    "activitynet": ".activitynet.json",
    "bids": "_events.tsv",
    "megc": ".megc.csv",
    "frames": ".frames.csv",
    "frames-parquet": ".frames.parquet",
    "blinks": ".blinks.csv",
    "csv": ".csv",
}


def parse_formats(names: str, year: int = NEWEST_SPOTTING) -> list[str]:
    """The formats of a list such as "eaf,vtt", each once. Raises UsageError for an unknown one, or
    year.
    """
    formats = list(dict.fromkeys(name.strip().lower() for name in names.split(",") if name.strip()))
    unknown = [name for name in formats if name not in ENDINGS]
    if unknown or not formats:
        known = ", ".join(ENDINGS)
        raise UsageError(
            f"expected formats out of {known}, divided by commas, got "
            f"{', '.join(unknown) or repr(names)}"
        )
    if year not in YEARS:
        raise UsageError(
            f"expected one of the years {', '.join(map(str, YEARS))} for megc, got {year}"
        )
    return formats


def outdated_files(result: Path) -> list[Path]:
    """Exports and the report beside NAME.json, which show its old intervals once it is rewritten.

    NAME.csv is left out: it is always written together with NAME.json.
    """
    endings = [".html", *(ending for form, ending in ENDINGS.items() if form != "csv")]
    return [
        path
        for ending in endings
        if file_exists(path := result.with_name(f"{result.stem}{ending}"))
    ]


def renewing_commands(result: Path, outdated: Sequence[Path]) -> str:
    """What to type to write outdated files beside NAME.json again, divided by "; "."""
    names = {path.name.removeprefix(result.stem) for path in outdated}
    formats = [form for form, ending in ENDINGS.items() if ending in names]
    commands = [f"fesnet report {result}"] if ".html" in names else []
    return "; ".join(
        commands + ([f"fesnet export {result} --to {','.join(formats)}"] * bool(formats))
    )


def export_paths(form: str, folder: Path, name: str) -> list[Path]:
    """The files of a format."""
    path = folder / f"{name}{ENDINGS[form]}"
    return [path, path.with_suffix(".json")] if form == "bids" else [path]


def iter_exports(
    spotting: Spotting,
    formats: Sequence[str],
    folder: Path,
    name: str,
    year: int = NEWEST_SPOTTING,
    *,
    force: bool = False,
) -> Iterator[Path]:
    """Write `folder/name` with the ending of each format and yield each path as soon as it is
    written; nothing is written unless the iterator is used. As `export` in all else.
    """
    refused: FesnetError | None = None
    for form in formats:
        writer = partial(write_megc, year=year) if form == "megc" else WRITERS[form]
        paths = export_paths(form, folder, name)
        known = is_table_of_result if form == "csv" else None
        try:
            with replacing(*paths, force=force, known=known):
                writer(spotting, paths[0])
            yield from paths
        except (ResultError, TargetError) as error:
            refused = refused or error
    if refused is not None:
        raise refused


def export(
    spotting: Spotting,
    formats: Sequence[str],
    folder: Path,
    name: str,
    year: int = NEWEST_SPOTTING,
    *,
    force: bool = False,
) -> list[Path]:
    """Write `folder/name` with the ending of each format; returns the paths. Replaces old files of
    ours, with `force` any.

    Each file is written atomically. A format that cannot hold the result, or whose file must not be
    replaced, does not stop the others: its ResultError or TargetError is raised at the end. year:
    of megc. Raises UsageError where a file cannot be written.
    """
    return list(iter_exports(spotting, formats, folder, name, year, force=force))


def export_result(
    spotting: Spotting,
    formats: str | Sequence[str],
    folder: Path,
    name: str | None = None,
    year: int | None = None,
    *,
    force: bool = False,
) -> list[Path]:
    """As `export`, for formats as people write them, "eaf, vtt" or a list; makes the folder. name:
    default that of the video. Raises UsageError, too, for unknown formats and what is no file name.
    """
    asked = formats if isinstance(formats, str) else ",".join(formats)
    megc_year = NEWEST_SPOTTING if year is None else year
    known = parse_formats(asked, megc_year)
    stem = video_id(spotting.source) if name is None else name
    if not stem or Path(stem).name != stem:
        raise UsageError(f"expected a file name without a folder, got {stem!r}; give name=")
    make_folder(folder)
    return export(spotting, known, folder, stem, megc_year, force=force)


def free_export_name(form: str, folder: Path, name: str) -> str:
    """The name, or with a number where a file of that name must not be replaced."""
    for number in range(1, 10_000):
        free = name if number == 1 else f"{name}-{number}"
        try:
            for path in export_paths(form, folder, free):
                check_replaceable(path)
        except TargetError:
            continue
        return free
    raise TargetError(f"expected fewer files of the name {name} in {folder}")


def is_table_of_result(path: Path) -> bool:
    """Whether NAME.csv is just what the result NAME.json beside it gives, now or in older
    versions.
    """
    result = path.with_suffix(".json")
    try:
        table = table_of_result(Spotting.from_json(result))
        known = (encode_text(table), encode_text(without_later_columns(table)))
        size = path.stat().st_size
        return size in map(len, known) and path.read_bytes() in known
    except (OSError, FesnetError):
        return False


def write_results(found: Spotting, path: Path, *, force: bool = False) -> None:
    """NAME.json and, beside it, NAME.csv, each written atomically; with `force` over any files.
    Raises UsageError, and TargetError before anything is written.
    """
    if path.suffix == ".csv":
        raise UsageError(
            f"expected a .json file for the result (the .csv comes beside it), got {path}"
        )
    check_results(path, force=force)
    with replacing():
        WRITERS["json"](found, path)
        WRITERS["csv"](found, path.with_suffix(".csv"))


def check_results(path: Path, *, force: bool = False) -> None:
    """Raises TargetError where NAME.json or NAME.csv must not be replaced."""
    check_replaceable(path, force=force, known=is_result)
    check_replaceable(path.with_suffix(".csv"), force=force, known=is_table_of_result)
