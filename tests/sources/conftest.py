from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def cache_root(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for each test, never the user's."""
    root = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("TUNER_CACHE_DIR", str(root))
    return root
