"""Attacks by what is handed in: links, pipes, odd files, notebooks that are none."""

# Code in strings, a line of it a line here.

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from target import NAME

from .attack import Attack

__all__ = ["INTAKE"]


def _links_to(target: str, *, student: bool = False, file: bool = False) -> Callable[[Path], None]:
    """Replace the submission by a link into the course."""

    def place(folder: Path) -> None:
        if file:
            (folder / f"{NAME}.ipynb").symlink_to(os.path.relpath(folder.parents[2] / target, folder))
            return
        folder.rmdir()
        if student:
            folder.parent.rmdir()
            folder.parent.symlink_to(os.path.relpath(folder.parents[2] / target, folder.parents[1]))
        else:
            folder.symlink_to(os.path.relpath(folder.parents[2] / target, folder.parent))

    return place


def _pipes(folder: Path) -> None:
    os.mkfifo(folder / "timestamp.txt")
    os.mkfifo(folder / "data.bin")


def _beside(folder: Path) -> None:
    """Files that a careless grader would run, or follow."""
    for name in (
        "conftest.py",
        "test_scale.py",
        "sitecustomize.py",
        "numpy.py",
        "nbgrader_config.py",
        "pytest.ini",
        "gradlab.py",
    ):
        (folder / name).write_text("import os\nos._exit(0)\n")
    (folder / "..ipynb").write_text("{}")
    (folder / "a\nb.ipynb").write_text("{}")
    (folder / ("x" * 200 + ".ipynb")).write_text("{}")
    for target in ("../../../gradebook.db", "../../../tests/graders/target/test_scale.py", "/etc/passwd"):
        (folder / f"{Path(target).name}.txt").symlink_to(target)


def _sparse(folder: Path) -> None:
    """A file of a terabyte that takes no room."""
    with (folder / "data.bin").open("wb") as file:
        os.truncate(file.fileno(), 1 << 40)


def _nothing_to_read(content: dict[str, Any]) -> None:
    return None


INTAKE = [
    Attack(
        "linked_notebook",
        "hand in a link to the instructor's notebook",
        finish=_nothing_to_read,
        place=_links_to(f"source/{NAME}/{NAME}.ipynb", file=True),
    ),
    Attack(
        "linked_folder",
        "hand in a link to the instructor's folder",
        finish=_nothing_to_read,
        place=_links_to(f"source/{NAME}"),
    ),
    Attack(
        "linked_student",
        "be a link to another student",
        finish=_nothing_to_read,
        place=_links_to("submitted/aaa_honest", student=True),
    ),
    Attack(
        "linked_source", "be a link to the source", finish=_nothing_to_read, place=_links_to("source", student=True)
    ),
    Attack("pipes", "hand in pipes that nobody writes to", solved=True, place=_pipes),
    Attack("files_beside", "hand in files that a careless grader would import or follow", place=_beside),
    Attack("sparse_file", "hand in a file of a terabyte", solved=True, place=_sparse),
    Attack("nested_json", "nest the notebook 100,000 levels deep", finish=lambda content: '{"cells":' + "[" * 100_000),
    Attack(
        "nested_metadata",
        "nest the metadata as deep as the parser allows",
        finish=lambda content: json.dumps(content).replace(
            '"metadata": {"kernelspec"', '"metadata": {"x": ' + "[" * 900 + "]" * 900 + ', "kernelspec"'
        ),
    ),
    Attack(
        "nested_code",
        "nest code until the compiler gives up",
        scale="scale = " + "(" * 5000 + "1" + ")" * 5000,
        model="Model = " + "-" * 100_000 + "1",
        train="train = x" + ".y" * 50_000,
    ),
    Attack(
        "nested_setup",
        "nest a definition in a locked cell until it cannot be written down again",
        finish=lambda content: json.loads(
            json.dumps(content).replace('"import numpy as np"', '"def deep(): return a' + ".b" * 990 + '\\nimport os"')
        ),
    ),
    Attack(
        "many_values",
        "hold 15 million empty lists",
        finish=lambda content: '{"cells":[], "x":[' + "[]," * 15_000_000 + "[]]}",
    ),
    Attack(
        "nonsense",
        "hold words where numbers are due, and cells that are none",
        finish=lambda content: json.dumps(
            {
                "cells": [
                    None,
                    1,
                    {"cell_type": 5},
                    {"cell_type": "code", "source": {"a": 1}},
                    {"cell_type": "code", "source": ["x", None], "outputs": 7, "metadata": []},
                ],
                "metadata": "x",
                "nbformat": "4",
                "nbformat_minor": 1e999,
            }
        ).replace("Infinity", "1e999"),
    ),
    Attack("slow_magics", "have 100 magics at the end of a long cell", scale="x = 1\n" * 100_000 + "!ls\n" * 100),
]
