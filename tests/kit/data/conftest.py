"""Fixtures of the data tests: no environment variable, no cache of the user's own."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for genuine_format; importlib mode adds nothing by itself

GENUINE = os.environ.get("GRADLAB_DATA")  # read before any test clears it


@pytest.fixture
def genuine_data() -> Path:
    """The folder that GRADLAB_DATA named when the tests began; a test that needs it skips without it."""
    if not GENUINE:
        pytest.skip("set GRADLAB_DATA to a folder with cifar-10-batches-py and fashion-mnist to run this test")
    return Path(GENUINE)


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Loaders find no folder that a test did not name, and keep downloads in the test's own folder."""
    monkeypatch.delenv("GRADLAB_DATA", raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache" / name)
