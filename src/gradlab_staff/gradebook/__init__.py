"""Everything between gradlab and nbgrader: release, gradebook, and plug-ins for nbgrader's own commands.

Importing it imports nbgrader, which takes seconds: do so where it is needed, and never in a worker.
"""

from gradlab_staff.gradebook.book import Gradebook
from gradlab_staff.gradebook.downloads import LmsCollector, LmsExtractor
from gradlab_staff.gradebook.exchange import Collect, ReleaseFeedback
from gradlab_staff.gradebook.execute import FeedbackExporter, GradlabExecute, UnreadExporter
from gradlab_staff.gradebook.formgrader import set_up_formgrader
from gradlab_staff.gradebook.release import ReleaseBlanks, make_release, save_cells, swap

__all__ = [
    "Collect",
    "FeedbackExporter",
    "Gradebook",
    "GradlabExecute",
    "LmsCollector",
    "LmsExtractor",
    "ReleaseBlanks",
    "ReleaseFeedback",
    "UnreadExporter",
    "make_release",
    "save_cells",
    "set_up_formgrader",
    "swap",
]
