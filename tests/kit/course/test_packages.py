"""Grading's packages: one list, from the students' package and from `gradlab.toml`."""

import re
import shutil
from pathlib import Path

import pytest

from gradlab_staff.course import Course
from gradlab_staff.course.packages import packages_of
from gradlab_staff.errors import CourseError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def course(tmp_path):
    """A course of two assignments, with what stands in its `gradlab.toml`."""
    for name in ("dropout", "inverted_dropout"):
        shutil.copytree(ROOT / "source" / name, tmp_path / "source" / name)

    def with_settings(text):
        (tmp_path / "gradlab.toml").write_text(text)
        return Course(tmp_path)

    return with_settings


def test_the_list(course):
    """What students install, SciPy, and what JupyterLab brings; for one assignment more, or less."""
    found = course("[packages]\nadd = ['Rich']\n[dropout.packages]\nadd = ['jinja2']\nwithout = ['autograd']\n")
    common = ("autograd", "ipython", "ipywidgets", "matplotlib", "numpy", "pooch", "rich", "scipy", "tqdm")
    assert packages_of(found).names == common
    assert packages_of(found.assignment("inverted_dropout")).names == common
    assert packages_of(found.assignment("dropout")).names == tuple(sorted({*common, "jinja2"} - {"autograd"}))


def test_what_they_require_comes_with_them(course):
    """And nothing that only extras require."""
    installed = packages_of(course("")).installed
    assert {"numpy", "pillow", "traitlets", "comm", "requests"} <= installed.keys()
    assert not {"nbgrader", "jupyterlab", "pytest", "msgpack", "sqlalchemy"} & installed.keys()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[packages", "expected settings in TOML, got: "),
        ("[limit]", r"expected the tables packages, limits, dropout\.packages, dropout\.limits, .*, got \[limit\]"),
        ("[dropuot.packages]\nadd = []", r"got \[dropuot\]"),
        ("[dropout]\nadd = ['scipy']", r"expected no more than the tables \[dropout\.packages\] and .*, got \{'add'"),
        ("[packages]\nadds = []", r"\[packages\]: expected the keys add and without, got \{'adds'"),
        ("packages = 3", r"\[packages\]: expected a table, got 3"),
        ("[packages]\nadd = 'scipy'", r"expected add = a list of packages' names, got 'scipy'"),
        ("[packages]\nadd = ['no-such-package']", "expected the package no-such-package to be installed, it is not"),
        ("[dropout.packages]\nwithout = ['autgrad']", "expected packages on the list in `without`, got autgrad"),
        ("[dropout.packages]\nwithout = ['numpy']", "expected packages in `without` that no other requires, got numpy"),
    ],
)
def test_settings_that_cannot_be_used(course, text, message):
    """Are refused, with the file, what was expected, and what to do."""
    with pytest.raises(CourseError, match=message) as raised:
        packages_of(course(text).assignment("dropout"))
    assert "gradlab.toml" in str(raised.value)


@pytest.mark.parametrize("name", Course(ROOT).assignments)
def test_notebooks_state_the_list(name):
    """Students read it before they hand in."""
    prose = " ".join(cell.source for cell in Course(ROOT).assignment(name).cells if cell.cell_type == "markdown")
    assert f"Grading has {packages_of(Course(ROOT).assignment(name)).listed}" in re.sub(r"\s+", " ", prose)


def test_the_docs_state_the_list():
    """So that staff can look it up."""
    assert f"> {packages_of(Course(ROOT)).listed}\n" in (ROOT / "docs" / "packages.md").read_text()
