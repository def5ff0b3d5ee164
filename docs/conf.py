"""How the documentation is built: Sphinx, Markdown by MyST, everything local. `make docs` writes
build/docs.
"""

from __future__ import annotations

from fesnet import __version__

project = "fesnet"
author = "The fesnet authors"
project_copyright = "The fesnet authors, MIT licence"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["Thumbs.db"]
html_theme = "furo"
html_title = f"fesnet {__version__}"
html_show_sphinx = False
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
# Docstrings are plain text: names in single backticks are code, and pictures keep their spaces.
default_role = "code"
# Files of the repository that pages point to, but that are no pages.
myst_url_schemes = ("http", "https", "mailto")


def literal_pictures(
    _app: object, _what: str, _name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Tables and drawings inside docstrings are shown as they stand, instead of read as markup."""
    out: list[str] = []
    inside = False
    for line in lines:
        drawn = line.startswith(("    ", "| "))
        if drawn and not inside:
            if out and out[-1]:
                out.append("")
            out += ["::", ""]
        elif not drawn and inside and line:
            out.append("")
        out.append(f"    {line}" if drawn else line)
        inside = drawn or (inside and not line)
    lines[:] = out


def setup(app: object) -> None:
    app.connect("autodoc-process-docstring", literal_pictures)  # type: ignore[attr-defined]
