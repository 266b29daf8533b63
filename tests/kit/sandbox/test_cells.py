"""A notebook's cells in a real host: as in IPython, and a statement that fails costs that statement."""

import json

import pytest
from hosted import Cell, notebooks, wait_for_cpu_time

from gradlab_staff.course.packages import Packages
from gradlab_staff.sandbox.failures import SubmissionError


@pytest.fixture
def notebook():
    """Makes a session of cells, and ends it."""
    with notebooks() as make:
        yield make


def warnings(nb):
    nb._session.start()
    return nb._session.warnings


def test_a_statement_that_fails_costs_that_statement(notebook):
    """One warning names cell, line and reason, and where else the cell failed."""
    nb = notebook("x = 1\nassert x == 2, 'not yet'\ny = 3\nz = 1 / 0\nlate\nw = 4")
    assert (nb.x, nb.y, nb.w) == (1, 3, 4)
    assert warnings(nb) == [
        "cell 1, line 2: AssertionError: not yet. Skipped this statement. Also skipped, lines 4, 5: what failed there."
    ]


def test_a_package_that_grading_has_not_is_told_with_those_that_it_has(notebook):
    """The student can see what to use in its place."""
    nb = notebook("import torch", "x = 1", packages=Packages(("matplotlib", "numpy")))
    assert nb.x == 1
    assert warnings(nb) == [
        "cell 1, line 1: ModuleNotFoundError: No module named 'torch'. Skipped this statement. "
        "Grading has matplotlib, numpy."
    ]


def test_what_python_refuses_to_compile_costs_its_statement(notebook):
    """As in IPython, which compiles one statement after the other; what it cannot parse costs the cell."""
    nb = notebook("x = 1\nreturn x\ny = 2", "z = 3\nif:")
    assert (nb.x, nb.y) == (1, 2)
    with pytest.raises(SubmissionError, match="name 'z' is not defined"):
        _ = nb.z
    assert (
        warnings(nb)[0]
        == "cell 1, line 2: SyntaxError: 'return' outside function (cell 1, line 2). Skipped this statement."
    )
    assert warnings(nb)[1].startswith("cell 2: SyntaxError: invalid syntax")


def test_a_blank_ends_its_cell(notebook):
    """And is no fault."""
    nb = notebook("x = 1\nraise NotImplementedError('a/b: write it')\ny = x", "z = 2")
    assert nb.z == 2
    with pytest.raises(SubmissionError, match="name 'y' is not defined"):
        _ = nb.y
    assert warnings(nb) == []


def test_what_hangs_or_dies_ends_its_cell(notebook, monkeypatch):
    """What stands above it in the cell is run, in each new host."""
    wait_for_cpu_time(monkeypatch)
    nb = notebook("def f(): return 1\nwhile True: pass\ndef g(): return 2", "import os\nx = 5\nos._exit(0)\nx = 6")
    nb._session.cell_s = 1
    assert (nb.f(), nb.x) == (1, 5)
    with pytest.raises(SubmissionError, match="name 'g' is not defined"):
        _ = nb.g
    assert warnings(nb) == [
        "cell 1, line 2: did not end within 1 s of CPU time. Skipped the cell from there on.",
        "cell 2, line 3: ended the process that ran it. Skipped the cell from there on.",
    ]


def test_a_second_try_repeats_what_failed(notebook):
    """And nothing else: what has been counted once is not counted twice."""
    nb = notebook("count = 0", "count += 1\ntotal = later + 1\ncount += 1", "later = 41")
    assert (nb.count, nb.total) == (2, 42)
    assert warnings(nb) == []


def test_await_at_the_top_level(notebook):
    """With a loop that runs as long as the cells do, and tasks in it; it is closed when they have run."""
    nb = notebook(
        "import asyncio\nasync def three():\n    await asyncio.sleep(0)\n    return 3\nx = await three()",
        "task = asyncio.create_task(three())\nforever = asyncio.create_task(asyncio.sleep(1000))",
        "y = await task\nz = [i async for i in (await_ for await_ in [])] if False else [await three() for _ in 'ab']",
        "loop = asyncio.get_running_loop()\ndef state(): return forever.cancelling() > 0, loop.is_closed()",
        "async with asyncio.timeout(5):\n    w = 1\nraise SystemExit",
    )
    assert (nb.x, nb.y, nb.z, nb.w) == (3, 3, [3, 3], 1)
    assert nb.state() == (True, True)
    assert warnings(nb) == ["cell 5, line 3: SystemExit. Skipped this statement."]


def test_future_statements_hold_for_the_cells_below(notebook):
    """As in IPython."""
    nb = notebook("from __future__ import annotations", "def f(x: Unknown) -> 'y': return f.__annotations__['x']")
    assert nb.f(1) == "Unknown"


def test_a_stub_takes_no_name_from_the_student(notebook):
    """Neither one that stands above it nor one below; it does take those of the assignment's own cells."""
    stub = "def f(): raise NotImplementedError('a/f: write it')\ndef g(): raise NotImplementedError('a/g: write it')"
    nb = notebook(
        Cell("given", "def f(): return 'given'", kind="given"),
        "def g(): return 'mine'",
        Cell("stub", stub, kind="stub"),
    )
    assert nb.g() == "mine"
    with pytest.raises(SubmissionError) as raised:
        nb.f()
    assert raised.value.stub
    below = notebook(Cell("stub", stub, kind="stub"), "def g(): return 'mine'")
    assert below.g() == "mine"


def test_only_some_statements(notebook):
    """What was added to a locked cell is run, and the rest of it is not."""
    nb = notebook(Cell("cell 1", "x = 1\nx = 2\ny = 3", only=(0, 2)))
    assert (nb.x, nb.y) == (1, 3)


def test_magics_that_change_what_a_cell_does(notebook, tmp_path):
    """Scripts are run, files are written, variables are set; the shell is IPython's own to whoever imports it."""
    (tmp_path / "script.py").write_text("seen = __name__\nmade = 7\n")
    nb = notebook(
        "get_ipython().run_cell_magic('writefile', 'sub.py', 'a = 1')",
        "get_ipython().run_cell_magic('writefile', '-a sub.py', 'b = 2')",
        "get_ipython().run_line_magic('run', 'script.py')\nfrom sub import *",
        "get_ipython().run_line_magic('env', 'COURSE=one')\nimport os\ncourse = os.environ['COURSE']",
        "from IPython import get_ipython as found\nfrom IPython.display import display, clear_output\n"
        "display(3); clear_output()\nsame = found() is get_ipython()\nnothing = found().events.register('x', 1)",
        "from tqdm.notebook import tqdm\nfrom tqdm.auto import trange\ntotal = sum(trange(4))",
        files={"script.py": tmp_path / "script.py"},
        packages=Packages(("ipython", "ipywidgets", "numpy", "tqdm")),
    )
    assert (nb.a, nb.b, nb.made, nb.seen) == (1, 2, 7, "__main__")
    assert (nb.course, nb.same, nb.total) == ("one", True, 6)
    assert warnings(nb) == []


def test_files_beside_the_notebook(notebook, tmp_path):
    """They lie in the working folder of each new host, as they were handed in, and come first for imports."""
    (tmp_path / "data.txt").write_text("as handed in")
    (tmp_path / "mine.py").write_text("value = 5")
    (tmp_path / "numpy.py").write_text("raise RuntimeError('not the real one')")
    (tmp_path / "queue.py").write_text("mine = True")
    nb = notebook(
        "import mine, queue\ntext = open('data.txt').read()\nopen('data.txt', 'w').write('changed')",
        "import numpy as np\nx = np.ones(3)",
        "def die():\n    import os; os._exit(0)",
        files={"data.txt": tmp_path / "data.txt", "pkg/sub/mine.py": tmp_path / "mine.py"}
        | {name: tmp_path / name for name in ("mine.py", "numpy.py", "queue.py")},
    )
    assert (nb.text, nb.x.sum()) == ("as handed in", 3)
    assert nb.queue.mine is True
    with pytest.raises(Exception, match="no answer"):
        nb.die()
    assert nb.text == "as handed in"
    assert (tmp_path / "data.txt").read_text() == "as handed in"


def test_a_file_that_cannot_be_laid_is_told(notebook, tmp_path):
    """It costs that file."""
    (tmp_path / "a").write_text("")
    nb = notebook("x = 1", files={"a": tmp_path / "a", "a/b": tmp_path / "a"})
    assert nb.x == 1
    assert warnings(nb)[0].startswith("a/b: expected to lay it beside the notebook, got ")


PROBE = """
import importlib, sys
def can_import(name):
    try:
        return importlib.import_module(name) is not None
    except ImportError:
        return False
def everything():
    import pathlib
    return sorted({entry.name for path in sys.path if path for entry in pathlib.Path(path).glob("*")})
def own_site():
    import pathlib, sysconfig
    paths = sysconfig.get_paths(vars={"base": sys.base_prefix, "platbase": sys.base_prefix})
    places = [paths["purelib"], paths["platlib"]]
    places += ["/usr/lib/python3/dist-packages", "/usr/local/lib/python3/dist-packages"]
    return [entry.name for place in places for entry in pathlib.Path(place).glob("*")]
"""


def test_only_packages_on_the_list_are_there(notebook):
    """With what they require; nothing of the staff's, and nothing of Python's own installation."""
    nb = notebook(PROBE, packages=Packages(("matplotlib", "numpy")))
    assert [nb.can_import(name) for name in ("numpy", "matplotlib.pyplot", "mpl_toolkits.mplot3d", "PIL")] == [True] * 4
    absent = ("scipy", "autograd", "nbgrader", "pytest", "sqlalchemy", "msgpack", "gradlab_staff", "pip", "IPython")
    assert [name for name in absent if nb.can_import(name)] == []
    assert nb.own_site() == []
    assert not {"nbgrader", "sqlalchemy", "msgpack"} & set(nb.everything())


def test_interactive_backends_draw_to_nowhere(notebook):
    """Whoever asks for a window in Jupyter has a screen there."""
    nb = notebook(
        "import matplotlib\nmatplotlib.use('Qt5Agg')\nimport matplotlib.pyplot as plt",
        "def f():\n    plt.plot([1]); plt.show(); plt.pause(0.01); return len(plt.gcf().axes)",
        packages=Packages(("matplotlib", "numpy")),
    )
    assert nb.f() == 1
    assert warnings(nb) == []


def test_a_missing_package_costs_only_what_computes_with_it(notebook):
    """Not an annotation, a default, a decorator or a class that is never made."""
    nb = notebook(
        "import torch, torch.nn as nn\nimport os.path\nfrom jaxtyping import Float",
        "@torch.no_grad()\n@nn.wraps\ndef f(x: torch.Tensor | None, y: Float[int, 'n'] = torch.device('cpu')) -> 'x':\n"
        "    return isinstance(x, torch.Tensor), x",
        "torch.manual_seed(0)\nwith torch.no_grad(): seen = 1\nfor batch in torch.load('x'): seen = 2\n"
        "device = 'cuda' if torch.cuda.is_available() else 'cpu'",
        "class Net(nn.Module):\n    def forward(self): return 3\ndef g(x): return torch.relu(x)",
        "has = hasattr(torch, '__len__') or callable(getattr(torch, '__array__', None))\n"
        "try:\n    import jax\n    jax_is = True\nexcept ImportError:\n    jax_is = False",
    )
    assert nb.f(7) == (False, 7)
    assert (nb.seen, nb.device, nb.has, nb.jax_is) == (1, "cpu", False, False)
    assert nb.Net().forward() == 3
    with pytest.raises(SubmissionError, match=r"ModuleNotFoundError: No module named 'torch', which torch.relu is of"):
        nb.g(1)
    assert warnings(nb) == [
        "cell 1, line 1: ModuleNotFoundError: No module named 'torch'. Skipped this statement. Grading has numpy. "
        "Also skipped, line 3: what failed there."
    ]


def test_a_module_beside_may_import_what_is_missing(notebook, tmp_path):
    """As a cell may; what it computes without that is there."""
    (tmp_path / "mine.py").write_text("import pandas as pd\nfrom .part import two\ndef show(x: pd.DataFrame): pass\n")
    (tmp_path / "part.py").write_text("from __future__ import annotations\nimport seaborn\ntwo = 2\nraised = 1\n")
    (tmp_path / "broken.py").write_text("one = 1\nraise ValueError('no')\n")
    nb = notebook(
        "from pkg.mine import two, show\nimport pkg.part",
        "import broken",
        "get_ipython().run_line_magic('run', 'pkg/part.py 0.5')\nimport sys",
        files={"pkg/__init__.py": tmp_path / "empty", "pkg/mine.py": tmp_path / "mine.py"}
        | {"pkg/part.py": tmp_path / "part.py", "broken.py": tmp_path / "broken.py"}
        if (tmp_path / "empty").write_text("") == 0
        else {},
    )
    assert (nb.two, nb.raised) == (2, 1)
    assert warnings(nb) == [
        "cell 1: mine.py, line 1: No module named 'pandas'. Went on without it. Grading has numpy.",
        "cell 1: part.py, line 2: No module named 'seaborn'. Went on without it. Grading has numpy.",
        "cell 2, line 1: ValueError: no. Skipped this statement.",
        "cell 3: part.py, line 2: No module named 'seaborn'. Went on without it. Grading has numpy.",
    ]


def test_scripts_and_notebooks_are_run(notebook, tmp_path):
    """With their arguments; another notebook runs in this one's names."""
    (tmp_path / "script.py").write_text("import sys\nshare = float(sys.argv[1])\n")
    cells = [{"cell_type": "code", "source": ["%matplotlib inline\n", "def helper():\n", "    return base"]}]
    (tmp_path / "other.ipynb").write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "x"}, *cells]}))
    nb = notebook(
        "base = 4",
        "get_ipython().run_line_magic('run', 'script.py 0.5')\nget_ipython().run_line_magic('run', './other.ipynb')",
        "get_ipython().run_cell_magic('writefile', 'src/deep/made.py', 'x = 1')\nfrom src.deep.made import x",
        "from late import y",
        "get_ipython().run_cell_magic('writefile', 'late.py', 'y = 2')",
        "help(helper)",
        files={name: tmp_path / name for name in ("script.py", "other.ipynb")},
    )
    assert (nb.share, nb.helper(), nb.x, nb.y) == (0.5, 4, 1, 2)
    assert warnings(nb) == []


def test_a_name_that_a_demonstration_defines_is_told_as_such(notebook):
    """It costs nothing, and nothing was forgotten."""
    nb = notebook("print(data.shape)", shown=frozenset({"data"}))
    assert warnings(nb) == [
        "cell 1, line 1: NameError: name 'data' is not defined (a demonstration defines it, and grading runs none that "
        "no solution needs). Skipped this statement."
    ]


def test_a_value_takes_no_exercise_its_name(notebook):
    """Neither in a cell below, nor where a cell above is tried again after it; a function does."""
    nb = notebook(
        "f, again = f(1), 2",
        "def f(x): return x",
        "def g(): return 1",
        "g = 2",
        "g = lambda: 3",
        defined=frozenset({"f", "g"}),
    )
    assert (nb.f(7), nb.again, nb.g()) == (7, 2, 3)
