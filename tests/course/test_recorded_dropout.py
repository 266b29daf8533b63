"""What `reference/dropout.json` holds is what the instructor notebook gives today, training figures roughly."""

import json
import math
from pathlib import Path

import pytest

from gradlab.course import Course
from gradlab.record import recordings

COURSE = Course.find(Path(__file__).parent)
EXACT, TRAINED = "published_", ("overfit_small_data", "regularization_experiment")


@pytest.fixture(scope="module")
def fresh():
    return recordings(COURSE.assignment("dropout"))


@pytest.fixture(scope="module")
def recorded():
    return json.loads(COURSE.assignment("dropout").recorded.read_text(encoding="utf-8"))


def leaves(value, where):
    """The numbers of a recording, by their places."""
    if not isinstance(value, dict | list):
        return {where: value}
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    return {place: leaf for key, entry in entries for place, leaf in leaves(entry, f"{where}/{key}").items()}


def assert_close(fresh, recorded, tolerance):
    """Each number of `fresh` is that of `recorded`, within tolerance(place)."""
    assert fresh.keys() == recorded.keys()
    for where, now in fresh.items():
        assert math.isclose(now, recorded[where], **tolerance(where)), f"{where}: {now} is not {recorded[where]}"


def test_names(fresh, recorded):
    """Each function of recordings.py is recorded, and nothing else; the versions stand beside."""
    assert set(recorded) == {*fresh, "made_with"}
    assert set(recorded["made_with"]) == {"gradlab", "numpy", "python"}


def test_published_blocks(fresh, recorded):
    """Without training, only the order of additions may differ from machine to machine."""

    def tolerance(where):
        # A gradient's error is a difference of nearly equal numbers: other BLAS kernels move it by 2e-7 of itself.
        return {"rel_tol": 1e-4} if "/errors/" in where else {"rel_tol": 1e-12}

    for name in (name for name in fresh if name.startswith(EXACT)):
        assert_close(leaves(fresh[name], name), leaves(recorded[name], name), tolerance)


@pytest.mark.parametrize("name", TRAINED)
def test_training(fresh, recorded, name):
    """Draws and first losses agree; then float32 rounding grows. Measured on three BLAS kernels: accuracies move by up
    to 0.046, the last losses by up to 0.74 of 4.1."""

    def tolerance(where):
        if "acc_history" in where:
            return {"abs_tol": 0.1}
        return {"rel_tol": 0.5, "abs_tol": 0.1} if "last_losses" in where else {"rel_tol": 1e-5}

    assert_close(leaves(fresh[name], name), leaves(recorded[name], name), tolerance)


def test_training_shows_its_point(recorded):
    """The recorded net overfits, and dropout lowers its training accuracy: what the course tells."""
    assert recorded["overfit_small_data"]["train_acc_history"][-1] == 1
    plain, dropout = (recorded["regularization_experiment"]["dropout"][p] for p in ("1", "0.25"))
    assert plain["train_acc_history"][-1] > 0.95
    assert dropout["train_acc_history"][-1] < plain["train_acc_history"][-1] - 0.03
    assert plain["val_acc_history"][-1] < 0.5
