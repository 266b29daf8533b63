"""How the tests are shared out to processes: a file stays together, where its tests share something that costs time."""

import pytest

EACH_BY_ITSELF = {"test_graders.py"}


def pytest_collection_modifyitems(items):
    """Group the tests of a file (pytest-xdist, ``--dist loadgroup``)."""
    for item in items:
        if item.path.name not in EACH_BY_ITSELF:
            item.add_marker(pytest.mark.xdist_group(str(item.path)))
