"""The notebook and the gallery run as they stand, on a result that is there already."""

from __future__ import annotations

import runpy
import warnings
from pathlib import Path

import pytest

from test_result import example

ROOT = Path(__file__).parents[1]


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A folder in which the demo seems to have run."""
    example().save(tmp_path / "demo" / "demo.json")
    rows = "video,kind,onset_frame,apex_frame,offset_frame\ndemo.mp4,macro,58,80,118\n"
    (tmp_path / "demo" / "truth.csv").write_text(rows, encoding="utf-8")
    return tmp_path


def test_the_notebook_runs(demo: Path) -> None:
    pytest.importorskip("pandas", reason="needs the extra tables")
    pytest.importorskip("matplotlib", reason="needs the extra plots")
    pytest.importorskip("ipykernel", reason="needs the extra dev")
    nbclient = pytest.importorskip("nbclient", reason="needs the extra dev")
    import nbformat

    book = nbformat.read(ROOT / "examples" / "tutorial.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in book.cells), "stored without what it printed"
    with warnings.catch_warnings():  # of the notebook machinery, not of the notebook
        warnings.simplefilter("ignore")
        client = nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": demo}})
        client.execute()
    shown = [out for cell in book.cells for out in cell.get("outputs", [])]
    kinds = {kind for out in shown for kind in out.get("data", {})}
    assert {"text/html", "image/png"} <= kinds
    assert any("<svg" in out.get("data", {}).get("text/html", "") for out in shown)
    assert sorted(p.suffix for p in (demo / "files").glob("[!.]*")) == [".boris", ".csv", ".eaf"]


def test_the_gallery_makes_its_five_figures(demo: Path) -> None:
    pytest.importorskip("pandas", reason="needs the extra tables")
    pytest.importorskip("matplotlib", reason="needs the extra plots")
    make = runpy.run_path(str(ROOT / "dev" / "make_gallery.py"))
    made = [path.name for path in make["run_blocks"](demo)]
    assert len(made) == 5
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    for name in made:
        assert f"](images/{name})" in page, "a gallery shows its pictures"
        assert (ROOT / "docs" / "images" / name).is_file()
