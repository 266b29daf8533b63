"""nbgrader's settings for this course: plain nbgrader commands run the same graders in the same sandbox."""

from gradlab_staff.gradebook import set_up_formgrader

c = get_config()  # noqa: F821 (nbgrader defines it)

c.CourseDirectory.course_id = "gradlab"

# A blank is released as `raise NotImplementedError("<assignment>/<exercise>: <hint>")`.
c.GenerateAssignment.preprocessors = [
    "nbgrader.preprocessors.IncludeHeaderFooter",
    "nbgrader.preprocessors.InstantiateTests",
    "nbgrader.preprocessors.LockCells",
    "gradlab_staff.gradebook.ReleaseBlanks",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.SaveCells",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.ClearMarkScheme",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.ClearSolutions.text_stub = "*Your answer here.*"

# `nbgrader autograde` never runs a student's code itself: the sandbox does, and the hidden graders judge it.
c.Autograde.exporter_class = "gradlab_staff.gradebook.UnreadExporter"
c.Autograde.sanitize_preprocessors = []  # GradlabExecute reads the notebook as it was submitted
c.Autograde.autograde_preprocessors = [
    "gradlab_staff.gradebook.GradlabExecute",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]

set_up_formgrader()  # it reads time stamps as grading does

# `nbgrader generate_feedback` and formgrader's button write gradlab's own page, with marks and comments given by hand.
c.GenerateFeedback.exporter_class = "gradlab_staff.gradebook.FeedbackExporter"
c.GenerateFeedback.preprocessors = ["nbgrader.preprocessors.GetGrades"]

# What students send is collected as grading takes it: regular files, bounded. Feedback is released one by one.
c.ExchangeFactory.collect = "gradlab_staff.gradebook.Collect"
c.ExchangeFactory.release_feedback = "gradlab_staff.gradebook.ReleaseFeedback"

# `nbgrader zip_collect` reads the names that Canvas and Moodle give; students.csv maps their numbers to ids.
c.ZipCollectApp.extractor_plugin = "gradlab_staff.gradebook.LmsExtractor"
c.ZipCollectApp.collector_plugin = "gradlab_staff.gradebook.LmsCollector"
