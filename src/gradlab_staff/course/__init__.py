"""The course: its folders, the cells of its notebooks, and the names that the instructor notebook defines."""

from gradlab_staff.course.model import Assignment, Cell, Course, Exercise, read_notebook

__all__ = ["Assignment", "Cell", "Course", "Exercise", "read_notebook"]
