"""Face models are loaded once in a process, and again when their files change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fesnet.faces import FaceTracker, ModelFiles, shared


def test_trackers_share_the_models_until_other_files_come(
    face_models: ModelFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = FaceTracker(), FaceTracker(which="all")
    assert one._detector is other._detector
    assert one._mesh is other._mesh
    changed = replace(face_models, sha256={name: "0" for name in face_models.sha256})
    monkeypatch.setattr(shared, "ensure_models", lambda: changed)
    assert FaceTracker()._mesh is not one._mesh
