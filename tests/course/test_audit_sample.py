"""A sample of the audit: of each kind a few, on inputs that are new each time. The whole of it: make audit."""

from pathlib import Path

import pytest

from gradlab_staff.audit.audit import AuditOptions, audit
from gradlab_staff.course import Course

COURSE = Course.find(Path(__file__))


@pytest.mark.parametrize("name", COURSE.assignments)
def test_a_sample_of_the_audit_finds_nothing_to_fix(name):
    """Wrong solutions lose points of their own exercise alone, right ones none."""
    report = audit(COURSE.assignment(name), AuditOptions(sample=4, quick=True))
    assert report.faults == 0, report.to_dict()
    assert report.variants > 0
