"""What `reference/dropout.json` holds is what the instructor notebook gives today, training figures roughly."""

import json
import math
from pathlib import Path

import pytest

from gradlab_staff.course import Course
from gradlab_staff.releasing.record import recordings

COURSE = Course.find(Path(__file__).parent)
EXACT = "published_"


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


# What a training comes to was measured under five of OpenBLAS's kernels (Prescott to SkylakeX) with one and with two
# threads, and without AVX-512 in NumPy: rounding is another in each, and a long training makes much of it.


def test_overfitting(fresh, recorded):
    """Twenty epochs on fifty images: the whole history agrees; the losses were within 5e-7 of each other."""

    def tolerance(where):
        return {"abs_tol": 0.05} if "acc_history" in where else {"rel_tol": 1e-5}

    name = "overfit_small_data"
    assert_close(leaves(fresh[name], name), leaves(recorded[name], name), tolerance)
    assert fresh[name]["train_acc_history"][-1] == 1


def test_the_experiment_starts_as_recorded(fresh, recorded):
    """The draws and the first epochs agree: losses within 1e-7 of each other, accuracies up to the second epoch."""
    now, then = (by_dropout(part["regularization_experiment"]) for part in (fresh, recorded))
    assert fresh["regularization_experiment"]["seed"] == recorded["regularization_experiment"]["seed"]
    assert now.keys() == then.keys() == {"1", "0.25"}
    for dropout, run in now.items():
        assert run["iterations"] == then[dropout]["iterations"] == 125
        assert run["first_loss"] == pytest.approx(then[dropout]["first_loss"], rel=1e-5)
        for history in ("train_acc_history", "val_acc_history"):
            assert len(run[history]) == len(then[dropout][history]) == 26
            assert run[history][:3] == pytest.approx(then[dropout][history][:3], abs=0.01)
            assert run[history] == pytest.approx(then[dropout][history], abs=0.1)  # measured: within 0.065


@pytest.mark.parametrize("which", ["fresh", "recorded"])
def test_the_experiment_shows_its_point(which, request):
    """The net overfits, and dropout lowers its training accuracy: what the course says.

    Only orderings and ranges: the last losses without dropout were 0.0007 to 0.10, with it 4.1 to 4.8; the last
    training accuracies .98 to 1 and .90 to .96; the best validation accuracies .35 to .38.
    """
    runs = by_dropout(request.getfixturevalue(which)["regularization_experiment"])
    plain, dropout = runs["1"], runs["0.25"]
    assert plain["last_losses_mean"] < 0.5 < 2 < dropout["last_losses_mean"] < 10
    assert plain["train_acc_history"][-1] > 0.95
    assert 0.85 < dropout["train_acc_history"][-1] < 0.98
    late_gap = sum(plain["train_acc_history"][-5:]) / 5 - sum(dropout["train_acc_history"][-5:]) / 5
    assert late_gap > 0.03
    for run in (plain, dropout):
        assert 0.3 < max(run["val_acc_history"]) < 0.5


def by_dropout(experiment):
    """The runs of the experiment by their keep probability, written as JSON does."""
    return {str(dropout): run for dropout, run in experiment["dropout"].items()}
