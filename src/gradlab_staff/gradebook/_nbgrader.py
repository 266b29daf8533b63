"""All that the kit takes from nbgrader 0.9.6. No other module imports it: check this list when nbgrader changes.

The import costs 3 seconds, so that nothing imports this package before it is needed, and worker processes never do.
"""

import os
import sys
import warnings

# The program `alembic` is run when a gradebook is made; a venv that was not activated does not have it on PATH.
_programs = os.path.dirname(sys.executable)
if _programs not in os.environ.get("PATH", "").split(os.pathsep):
    os.environ["PATH"] = os.pathsep.join(filter(None, [_programs, os.environ.get("PATH", "")]))

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # nbgrader's own, and those of what it imports: a TA can do nothing about them
    from nbconvert.exporters import Exporter, NotebookExporter
    from nbformat import from_dict
    from nbgrader.api import Comment, Grade, InvalidEntry, MissingEntry, Student, SubmittedAssignment, SubmittedNotebook
    from nbgrader.api import Gradebook as NbgraderGradebook
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.apps.baseapp import NbGrader
    from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.exchange import ExchangeError
    from nbgrader.exchange.default import ExchangeCollect, ExchangeReleaseFeedback
    from nbgrader.plugins import ExtractorPlugin, FileNameCollectorPlugin
    from nbgrader.preprocessors import AssignLatePenalties, ClearSolutions, NbGraderPreprocessor
    from nbgrader.utils import capture_log, compute_checksum, notebook_hash, parse_utc

__all__ = [
    "AssignLatePenalties",
    "Autograde",
    "ClearSolutions",
    "Comment",
    "CourseDirectory",
    "ExchangeCollect",
    "ExchangeError",
    "ExchangeReleaseFeedback",
    "Exporter",
    "ExtractorPlugin",
    "FileNameCollectorPlugin",
    "GenerateAssignment",
    "GenerateFeedback",
    "Grade",
    "InvalidEntry",
    "MissingEntry",
    "NbGrader",
    "NbGraderAPI",
    "NbGraderPreprocessor",
    "NbgraderGradebook",
    "NotebookExporter",
    "Student",
    "SubmittedAssignment",
    "SubmittedNotebook",
    "capture_log",
    "compute_checksum",
    "from_dict",
    "notebook_hash",
    "parse_utc",
]
