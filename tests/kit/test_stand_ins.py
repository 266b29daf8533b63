"""Stand-ins are no oracles: they answer while the grader's call is under way, so often, and for what came before."""

import numpy as np
import pytest
from hosted import notebooks
from tiny_course import make_course

from gradlab_staff.course import Course
from gradlab_staff.course.dependence import dependence_of
from gradlab_staff.errors import GraderError
from gradlab_staff.grading.grade import grade
from gradlab_staff.sandbox.failures import HostDiedError, SubmissionError

pytestmark = pytest.mark.slow


@pytest.fixture
def notebook():
    with notebooks() as make:
        yield make


def test_a_stand_in_answers_no_more_than_its_budget(notebook):
    """Whoever integrates or searches asks often; a new check has a full budget again."""
    nb = notebook("def ask(n):\n    return [secret(k) for k in range(n)]")
    with nb.standing_in({"secret": lambda k: 7 * k}, calls=20):
        assert nb.ask(20)[-1] == 133
        with pytest.raises(SubmissionError, match="called more than 20 times"):
            nb.ask(1)
        nb._stand_ins.begin()
        assert nb.ask(1) == [0]


def test_instances_of_a_class_share_its_budget(notebook):
    """A new net for each question would be a new budget for each."""

    class Net:
        def __init__(self):
            self.params = {}

        def loss(self):
            return 1.0

    nb = notebook("def ask(n):\n    return sum(Net().loss() for _ in range(n))")
    with nb.standing_in({"Net": Net}, calls=20):
        assert nb.ask(10) == 10
        with pytest.raises(SubmissionError, match="more than 20 times"):
            nb.ask(1)


def test_nothing_is_answered_while_cells_run(notebook):
    """A host that is started anew in the middle of a check runs its cells first: they ask in vain."""
    forged = (
        "import gc, os\n"
        "from gradlab_host.host import Host\n"
        "host = next(thing for thing in gc.get_objects() if isinstance(thing, Host))\n"
        "try:\n    told = host.call_back(1, '__call__', (3,), {})\n"
        "except BaseException as error:\n    told = str(error)\n"
        "def what():\n    return told\n"
        "def die():\n    os._exit(1)\n"
    )
    nb = notebook(forged)
    with nb.standing_in({"secret": lambda k: 7 * k}):
        with pytest.raises(Exception, match=r"."):
            nb.die()
        assert "nothing to ask" in nb.what()


def test_a_stand_in_that_was_kept_answers_nothing_in_the_next_check(notebook):
    """What a submission has put aside calls nothing, whatever stands in then."""
    nb = notebook("kept = []\ndef remember():\n    kept.append(secret)\ndef ask():\n    return kept[0](3)")
    with nb.standing_in({"secret": lambda k: 7 * k}):
        nb.remember()
        assert nb.ask() == 21
    with pytest.raises(SubmissionError), nb.standing_in({"other": lambda k: 0}):
        nb.ask()


PATCH = """
import gc, os, time
from gradlab_host.host import Host
host = next(thing for thing in gc.get_objects() if isinstance(thing, Host))
kept = []
def die(): os._exit(1)
def fail(): raise ValueError("no")
def spoil(op, how): setattr(host, "op_" + op, lambda *_, **__: how())
def note(): kept.extend([thing, number] for number, thing in list(host.stand_ins.items()))
def ask():
    told = []
    for _, number in kept:
        for method in ("__call__", "__init__", "loss"):
            try: told.append(host.call_back(number, method, (3,), {}))
            except Exception as error: told.append(type(error).__name__)
    return told
"""


@pytest.mark.parametrize("request_", ["stand_in", "cover", "uncover"])
def test_a_host_that_fails_when_it_is_made_ready_keeps_no_stand_in(notebook, request_):
    """However it fails: what was introduced until then answers nothing in the next check."""
    nb = notebook(PATCH + f"spoil({request_!r}, fail)\nkept += [[0, number] for number in range(1, 5)]")
    with pytest.raises(SubmissionError, match="no"), nb.standing_in({"secret": lambda k: 7 * k}):
        pass
    assert 21 not in nb.ask()


@pytest.mark.parametrize("request_", ["cover", "uncover"])
def test_a_host_that_dies_when_it_is_made_ready_keeps_no_stand_in(notebook, request_):
    """The next one may know the numbers."""
    nb = notebook(PATCH + f"spoil({request_!r}, die)\nkept += [[0, number] for number in range(1, 5)]")
    with pytest.raises(HostDiedError), nb.standing_in({"secret": lambda k: 7 * k}):
        pass
    assert 21 not in nb.ask()


def test_what_stood_in_before_does_so_again_after_what_stood_in_meanwhile(notebook):
    """Checks nest them: the inner ones end alone, in the notebook as for the trusted side."""
    nb = notebook(PATCH + "def f(): return [secret(1), other(1)]\nsecret = other = lambda k: 0")

    def other(k):
        return 5

    with nb.standing_in({"secret": lambda k: 7, "other": other}):
        with nb.standing_in({"secret": lambda k: 8, "same": other}):
            assert nb.f() == [8, 5]
            nb.note()
        assert nb.f() == [7, 5]
        assert nb.ask().count(8) == 0
        with pytest.raises(SubmissionError, match="'same' is not defined"):
            _ = nb.same
    assert nb.f() == [0, 0]


def test_an_object_that_is_passed_answers_no_more_than_its_budget(notebook):
    """However many of its class there are; by default as often as no solution needs."""

    class Net:
        def loss(self):
            return 1.0

    nb = notebook("def ask(net, n):\n    return sum(net.loss() for _ in range(n))")
    with nb.standing_in({}):
        nets = [nb.stand_in(Net(), state=(), calls=20) for _ in range(2)]
        assert nb.ask(nets[0], 15) == 15
        with pytest.raises(SubmissionError, match="Net was called more than 20 times"):
            nb.ask(nets[1], 15)
        assert nb.ask(nb.stand_in(Net(), state=()), 1000) == 1000
        nb._stand_ins.asked["Net"] = 19_999
        with pytest.raises(SubmissionError, match="Net was called more than 20000 times"):
            nb.ask(nb.stand_in(Net(), state=()), 2)


def test_a_dummy_knows_nothing(notebook):
    """In the place of a later exercise's function, a grader gives what has the right form."""
    nb = notebook("def loss(params):\n    return 2.0, gradients(params)")
    with nb.standing_in({"gradients": lambda params: {name: np.zeros(np.shape(w)) for name, w in params.items()}}):
        loss, grads = nb.loss({"W": np.ones(3)})
    assert loss == 2.0
    assert grads["W"].tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", Course.find().assignments)
def test_no_exercise_builds_on_a_later_one(name):
    """So that there is no circle, in which one could be found from the other."""
    assert dependence_of(Course.find().assignment(name)).faults == []


def test_a_grader_must_not_let_the_reference_answer_for_its_exercise(tmp_path):
    """Nor for a later one: that is an error of ours, and no score."""
    tiny = make_course(tmp_path)
    grader = tiny.graders / "test_double.py"
    for name in ("double", "halve"):
        grader.write_text(
            f"from gradlab_staff.grading import stands_in\n\npytestmark = stands_in({name!r})\n\n\n"
            'def test_it(submission):\n    """Two."""\n    assert submission.double(1.0) == 2.0\n'
        )
        with pytest.raises(GraderError, match=rf"expected a name of the exercises before double, got one .*{name}"):
            grade(tiny, tiny.notebook, "student_01")


def test_threads_take_turns(notebook):
    """A search may train its nets in threads; what they ask does not come between each other's answers."""

    class Net:
        def __init__(self, size):
            self.params = {"W": np.zeros(size)}

        def train(self, steps):
            self.params = {"W": self.params["W"] + steps}

    nb = notebook(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def one(k):\n    net = Net(k + 1)\n    net.train(k)\n    return float(net.params['W'].sum())\n"
        "def search():\n    with ThreadPoolExecutor(4) as pool:\n        return list(pool.map(one, range(40)))"
    )
    with nb.standing_in({"Net": Net}):
        assert nb.search() == [k * (k + 1) for k in range(40)]
