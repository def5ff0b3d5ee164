"""Make the pictures of docs/gallery.md from its own code: `python dev/make_gallery.py`.

It makes and spots the demo's video in a scratch folder first. Needs the extras tables and plots.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "gallery.md"


def gallery_blocks() -> list[str]:
    """The page's Python blocks, in their order."""
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run_blocks(folder: Path) -> list[Path]:
    """Run the blocks where demo/demo.json and demo/truth.csv lie; the pictures they saved."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with contextlib.chdir(folder):
        exec("\n".join(gallery_blocks()), {})
    pyplot.close("all")
    return sorted(folder.glob("gallery-*.png"))


def main() -> None:
    from fesnet.demo import run_demo

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        run_demo(folder / "demo", lambda share: None)
        for picture in run_blocks(folder):
            shutil.copy(picture, ROOT / "docs" / "images")
            print(f"docs/images/{picture.name}", picture.stat().st_size)


if __name__ == "__main__":
    main()
