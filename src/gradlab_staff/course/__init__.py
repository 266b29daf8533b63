"""The course as its staff wrote it: folders, cells, and the instructor notebook's own names."""

from gradlab_staff.course.model import Assignment, Cell, Course, Exercise, read_notebook

__all__ = ["Assignment", "Cell", "Course", "Exercise", "read_notebook"]
