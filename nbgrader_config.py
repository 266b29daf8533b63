"""nbgrader's settings for this course: plain nbgrader commands run the same graders in the same sandbox."""

c = get_config()  # noqa: F821 (nbgrader defines it)

c.CourseDirectory.course_id = "gradlab"
