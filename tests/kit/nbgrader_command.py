"""nbgrader's own commands, run in this process: each costs seconds in one of its own."""

import contextlib
import io
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it logged."""

    code: int
    log: str


def nbgrader(folder: Path, *arguments: str) -> Ran:
    """Run `nbgrader <arguments>` in a folder, whose ``nbgrader_config.py`` it reads."""
    from jupyter_core.application import NoStart
    from nbgrader.apps.nbgraderapp import NbGraderApp

    log, code = io.StringIO(), 0
    path, before = list(sys.path), Path.cwd()
    NbGraderApp.clear_instance()
    os.chdir(folder)
    try:
        app = NbGraderApp.instance()
        app.initialize(list(arguments))
        app.init_logging(logging.StreamHandler, [log], color=False, subapps=True)
        with contextlib.redirect_stdout(io.StringIO()):
            app.start()
    except NoStart:
        pass
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        app.reset()
        NbGraderApp.clear_instance()
        os.chdir(before)
        sys.path[:] = path
    return Ran(code, log.getvalue())
