"""The committed student versions are those that the sources make today."""

import json
import shutil
from pathlib import Path

import pytest

from gradlab_staff.course import Course
from gradlab_staff.releasing.leaks import leaks
from gradlab_staff.releasing.release import release

COURSE = Course.find(Path(__file__).parent)


@pytest.fixture(scope="module", params=COURSE.assignments)
def versions(request, tmp_path_factory):
    """The committed release folder and a fresh one, made in a copy of the course."""
    assignment = COURSE.assignment(request.param)
    root = tmp_path_factory.mktemp("course")
    for folder in (assignment.notebook.parent, assignment.graders):
        shutil.copytree(folder, root / folder.relative_to(COURSE.root), ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(COURSE.root / "nbgrader_config.py", root)
    return assignment, release(Course(root).assignment(assignment.name)).folder


def cells(folder: Path, name: str) -> list[dict[str, object]]:
    """The cells, without the ids that Jupyter draws anew."""
    content = json.loads((folder / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return [{key: value for key, value in cell.items() if key != "id"} for cell in content]


def test_current(versions):
    """Cells and files are the same. If not: gradlab release <assignment>, and commit release/."""
    assignment, fresh = versions
    assert cells(assignment.release, assignment.name) == cells(fresh, assignment.name)
    assert files(assignment.release) == files(fresh)


def files(folder: Path) -> dict[str, bytes]:
    """What lies beside the notebook, pictures in folders of their own too."""
    paths = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".ipynb")
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if "__pycache__" not in path.parts}


def test_clean(versions):
    """The committed release gives nothing away."""
    assignment, _ = versions
    assert leaks(assignment, assignment.release) == []
