"""Settings and sheets that claim more than they hold, and places that are not there."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import openpyxl
import pytest

from fesnet._io import load_json, read_toml
from fesnet.cli import base, config_file
from fesnet.datasets import sheets
from fesnet.errors import TruthError
from fesnet.spreadsheet import read_text_table

BOMBS = {
    "a key of many parts": ".".join(["a"] * 20_000) + " = 1",
    "a table of many parts": "[" + ".".join(["a"] * 20_000) + "]",
    "in a table of one line": "a = {" + ".".join(["a"] * 20_000) + " = 1}",
    "many digits": "a = 0x" + "f" * 5000,
    "many digits below": "[[a]]\nb = [1, 0x" + "f" * 5000 + "]",
    "deep": "a = " + "[" * 20_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_settings_are_small_and_flat(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(BOMBS[name])
    with pytest.raises(ValueError, match=r"dots|64 bits|nested"):
        read_toml(path)


def test_settings_may_hold_dots_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('a.b = 9_000_000_000\nc = ["x.y", 0.5]\n')
    assert read_toml(path) == {"a": {"b": 9_000_000_000}, "c": ["x.y", 0.5]}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_deep_json_is_an_error_of_values(text: str) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        load_json(text)


def change_sheet(path: Path, row: str) -> None:
    """Put a row into the only sheet of a new workbook."""
    book = openpyxl.Workbook()
    book.active.append(["video"])
    book.save(path)
    with zipfile.ZipFile(path) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    sheet = next(name for name in parts if "sheet1" in name)
    parts[sheet] = parts[sheet].replace(b"</sheetData>", row.encode() + b"</sheetData>")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in parts.items():
            new.writestr(name, data)


@pytest.mark.parametrize(
    "row", ['<row r="1000000000000"><c r="A2"><v>1</v></c></row>', "<row/>" * 99]
)
def test_a_sheet_of_too_many_rows_is_refused(
    row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sheets, "MOST_ROWS", 50)
    path = tmp_path / "a.xlsx"
    change_sheet(path, row)
    with pytest.raises(TruthError, match="more than 50 rows"):
        read_text_table(path)


def test_without_a_home_or_a_current_folder_there_are_no_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.delenv(config_file.VARIABLE, raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(config_file.Path, "home", no_home)
    assert len(config_file.config_paths()) == 1
    before = Path.cwd()
    os.chdir(gone)
    gone.rmdir()
    try:
        assert config_file.read_config_files() == []
        with pytest.raises(FileNotFoundError) as caught:
            Path.cwd()
        assert "current folder, but it was removed" in str(base.file_error(caught.value))
    finally:
        os.chdir(before)


def test_a_folder_of_another_user_holds_no_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after sudo, where HOME is still that of the caller: looking into it is refused."""
    found = os.stat

    def refuse(path: object, *args: object, **options: object) -> os.stat_result:
        if str(path).startswith(str(tmp_path)):
            raise PermissionError(13, "Permission denied", str(path))
        return found(path, *args, **options)  # type: ignore[arg-type]

    monkeypatch.delenv(config_file.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(os, "stat", refuse)
    files = config_file.read_config_files()
    monkeypatch.undo()
    assert files[0].path.is_relative_to(tmp_path) and files[0].values is None
