"""Two packages from one repository: what students install holds nothing of what grades them."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distribution, files, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROJECTS = {"gradlab": ROOT, "gradlab_staff": ROOT / "src" / "gradlab_staff"}


def project(folder):
    """What a pyproject.toml says of the project."""
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """Both wheels, as an instructor builds them."""
    folder = tmp_path_factory.mktemp("wheels")
    words = ["wheel", "--quiet", "--no-deps", "-w", str(folder), *map(str, PROJECTS.values())]
    built = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return {path.name.split("-")[0]: path for path in folder.glob("*.whl")}


def required(name, found):
    """The installed packages that `name` requires, and those that they require in turn."""
    for line in requires(name) or ():
        requirement = Requirement(line)
        needed = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if needed and requirement.name not in found:
            found.add(requirement.name)
            required(requirement.name, found)
    return found


@pytest.fixture(scope="module")
def student(wheels, tmp_path_factory):
    """Run the command of a student, who has the light package and what it requires alone."""
    folder = tmp_path_factory.mktemp("student")
    zipfile.ZipFile(wheels["gradlab"]).extractall(folder)
    for package in required("gradlab", set()):
        for top in {file.parts[0] for file in files(package) or () if file.parts[0] not in ("..", "__pycache__")}:
            (folder / top).symlink_to(distribution(package).locate_file(top))

    def run(*words, **environment):
        env = {name: value for name, value in os.environ.items() if name != "GRADLAB_DATA"} | environment
        code = f"import sys; sys.path.append({str(folder)!r}); import gradlab.__main__ as it; it.main()"
        command = [sys._base_executable, "-I", "-S", "-c", code, *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=folder)

    return run


def test_a_students_wheel_holds_no_grading_code(wheels):
    """Neither a module of the staff's package, nor a word of what grading is built from."""
    with zipfile.ZipFile(wheels["gradlab"]) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
        assert all(name.startswith("gradlab/") for name in names)
        text = "\n".join(wheel.read(name).decode() for name in names if name.endswith(".py"))
    assert not re.search(r"bubblewrap|seccomp|misconception|hidden grader|nbgrader|verdict", text)
    imported = set(re.findall(r"gradlab_staff[\w.]*", text))
    assert imported <= {"gradlab_staff", "gradlab_staff.cli"}, "the command alone looks whether staff's is there"


def test_the_staffs_wheel_holds_the_rest(wheels):
    """Its pages and skeletons among it, and not its own pyproject.toml."""
    with zipfile.ZipFile(wheels["gradlab_staff"]) as wheel:
        names = set(wheel.namelist())
    files = (path for path in (ROOT / "src" / "gradlab_staff").rglob("*") if path.is_file())
    there = {str(path.relative_to(ROOT / "src")) for path in files if path.name not in ("pyproject.toml", "LICENSE")}
    there = {name for name in there if "__pycache__" not in name}
    assert there == {name for name in names if ".dist-info/" not in name}


def test_both_wheels_hold_the_licence(wheels):
    """The whole text, and the metadata that names it."""
    for path in wheels.values():
        with zipfile.ZipFile(path) as wheel:
            info = next(name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name)
            metadata = wheel.read(f"{info}/METADATA").decode().splitlines()
            assert wheel.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
        assert {"License-Expression: BSD-3-Clause", "License-File: LICENSE"} <= set(metadata)


def test_both_have_one_version():
    """The staff's package requires the student's in the same version."""
    light, staff = (project(folder) for folder in PROJECTS.values())
    assert light["version"] == staff["version"]
    assert f"gradlab=={light['version']}" in staff["dependencies"]


def test_what_students_install_is_light():
    """No Jupyter, no pytest, no nbgrader."""
    names = {re.split(r"[<>=!~ ;\[]", line)[0].lower() for line in requires("gradlab") or ()}
    assert names == {"autograd", "matplotlib", "numpy", "pooch", "tqdm"}


def test_what_is_imported_is_required():
    """Each third-party package that the staff's code imports stands in its pyproject.toml, or in the student's."""
    found = set()
    for path in (ROOT / "src").rglob("*.py"):
        found |= set(re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    third = found - sys.stdlib_module_names - {"gradlab", "gradlab_staff", "gradlab_host", "_pytest", "traitlets"}
    third = {{"dateutil": "python-dateutil"}.get(name, name) for name in third}
    declared = [line for folder in PROJECTS.values() for line in project(folder)["dependencies"]]
    names = {re.split(r"[<>=!~ ;\[]", line)[0].lower() for line in declared}
    assert {name.lower() for name in third} <= names


def test_the_command_says_where_the_pictures_come_from(student):
    """`gradlab data` names each data set, and how to get the genuine pictures."""
    done = student("data")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{name}: synthetic data. To load the real images, run: gradlab data --download"
        for name in ("CIFAR-10", "Fashion-MNIST")
    ]


def test_a_folder_that_holds_no_data_is_named(student, tmp_path):
    """Exit code 1, and what was expected."""
    done = student("data", GRADLAB_DATA=str(tmp_path))
    assert done.returncode == 1
    assert f"GRADLAB_DATA={tmp_path}: expected a folder that holds cifar-10-batches-py/" in done.stderr


def test_a_students_command_sends_nobody_to_the_staffs_package(student):
    """`gradlab grade` is not theirs, and says what is."""
    done = student("grade", "dropout")
    assert done.returncode == 2
    assert "which is for the course's staff" in done.stderr
    for words in (("--help",), ("grade",), ()):
        done = student(*words)
        assert "staff]" not in done.stdout + done.stderr
        assert "gradlab_staff" not in done.stdout + done.stderr
    assert student("--version").stdout.startswith("gradlab, version ")
