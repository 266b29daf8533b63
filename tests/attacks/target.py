"""The course that attacks are aimed at: three small exercises, each built on another, and secrets all over it."""

from __future__ import annotations

import json
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gradlab_staff.course import Assignment, Course

__all__ = ["NAME", "SOLVED", "WRONG", "Canaries", "make_target", "notebook"]

NAME = "target"
ROOT = Path(__file__).resolve().parents[2]

SOLVED = {
    "scale": "def scale(x):\n    return 3 * x\n",
    "model": (
        "class Model:\n    def __init__(self, n):\n        self.params = {'W': np.ones(n)}\n\n"
        "    def loss(self, X):\n        return float(np.sum(scale(X) * self.params['W']))\n"
    ),
    "train": (
        "def train(n, data, steps):\n    net, losses = Model(n), []\n    for _ in range(steps):\n"
        "        losses.append(net.loss(data))\n        net.params['W'] = net.params['W'] - 0.1 * data.mean(axis=0)\n"
        "    return net, losses\n"
    ),
}
WRONG = {
    "scale": "def scale(x):\n    return 0 * x\n",
    "model": (
        "class Model:\n    def __init__(self, n):\n        self.params = {'W': np.zeros(n)}\n\n"
        "    def loss(self, X):\n        return 0.5\n"
    ),
    "train": "def train(n, data, steps):\n    return Model(n), []\n",
}
"""A notebook that earns nothing: what an attack on top of it earns, it has stolen."""

GRADERS = {
    "scale": '''
import numpy as np

from gradlab_staff.grading import expect_close


def test_values(submission, reference, rng):
    """scale multiplies by the right number."""
    x = rng.standard_normal((4, 3))
    expect_close(submission.scale(x), reference.scale(x), "scale(x)")


def test_again(submission, reference, rng):
    """scale does so for other shapes."""
    x = rng.standard_normal(7)
    expect_close(submission.scale(x), reference.scale(x), "scale(x)")
''',
    "model": '''
import numpy as np

from gradlab_staff.grading import array, entries, expect_close, function, instance, stands_in

pytestmark = stands_in("scale")


def test_params(submission):
    """A new model has ones as parameters."""
    net = instance(function(submission.Model, "Model")(4), "Model(4)")
    expect_close(entries(net.params, "params", ["W"])["W"], np.ones(4), "W")


def test_loss(submission, reference, rng):
    """The loss is the sum of the scaled inputs times the parameters."""
    X, W = rng.standard_normal((6, 4)), rng.standard_normal(4)
    net = instance(function(submission.Model, "Model")(4), "Model(4)")
    net.params = {"W": W}
    expect_close(function(net.loss, "loss")(X), np.sum(reference.scale(X) * W), "loss")
''',
    "train": '''
import numpy as np

from gradlab_staff.grading import entries, expect_close, function, instance, stands_in, unpack

pytestmark = stands_in("scale", "Model")


def test_training(submission, reference, rng):
    """Each step moves the parameters against the mean of the data."""
    data = rng.standard_normal((6, 4))
    net, losses = unpack(function(submission.train, "train")(4, data, 3), ("net", "losses"), "train")
    W = [np.ones(4) - 0.1 * k * data.mean(axis=0) for k in range(4)]
    expect_close(entries(instance(net, "net").params, "params", ["W"])["W"], W[3], "W")
    expect_close(losses, [np.sum(reference.scale(data) * w) for w in W[:3]], "losses")
''',
}


@dataclass(frozen=True)
class Canaries:
    """One secret for each place where staff has any; none of them may come back."""

    words: dict[str, str] = field(
        default_factory=lambda: {
            place: f"canary-{place}-{secrets.token_hex(8)}"
            for place in ("solution", "grader", "recorded", "gradebook", "submission", "environment", "home")
        }
    )

    def __getitem__(self, place: str) -> str:
        return self.words[place]

    def in_text(self, text: str) -> list[str]:
        """The places whose secret stands in `text`."""
        return [place for place, word in self.words.items() if word in text]


def code(source: str, id: str = "", **nbgrader: Any) -> dict[str, Any]:
    """A code cell."""
    plain = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False, "grade_id": id}
    metadata = {"nbgrader": {**plain, **nbgrader}} if id else {}
    return {"cell_type": "code", "metadata": metadata, "source": source, "outputs": [], "execution_count": None}


def notebook(solutions: dict[str, str], prelude: str = "") -> dict[str, Any]:
    """The notebook with these solutions, and a cell of the student's own before them."""
    cells = [code("import numpy as np", "setup", locked=True)]
    cells += [code(prelude)] if prelude else []
    for name, source in solutions.items():
        cells.append(code(source, f"{name}_solution", solution=True))
        cells.append(code(f'check("{name}")', name, grade=True, locked=True, points=10))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": kernel}, "cells": cells}


def make_target(root: Path, canaries: Canaries) -> Assignment:
    """The course, in an empty folder."""
    blanks = {
        name: f"### BEGIN SOLUTION write it\n# {canaries['solution']}\n{source}### END SOLUTION\n"
        for name, source in SOLVED.items()
    }
    source = root / "source" / NAME
    source.mkdir(parents=True)
    (source / f"{NAME}.ipynb").write_text(json.dumps(notebook(blanks)))
    (source / "public_checks.py").write_text("".join(f"def {name}(nb):\n    yield from ()\n\n\n" for name in SOLVED))
    graders = root / "tests" / "graders" / NAME
    graders.mkdir(parents=True)
    for name, grader in GRADERS.items():
        (graders / f"test_{name}.py").write_text(f"SECRET = {canaries['grader']!r}\n{grader}")
    (graders / "misconceptions.py").write_text(f"# {canaries['grader']}\n")
    (root / "reference").mkdir()
    (root / "reference" / f"{NAME}.json").write_text(json.dumps({"secret": canaries["recorded"]}))
    shutil.copy(ROOT / "nbgrader_config.py", root)
    return Course(root).assignment(NAME)
