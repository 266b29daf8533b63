"""A sample of the fuzzing: `make fuzz` does more of it."""

from pathlib import Path

import pytest
from fuzz import fuzz_decoder
from fuzz_plans import fuzz_plans, holes_of_a_release
from fuzz_standins import fuzz_stand_ins

from gradlab_staff.course import Course

COURSE = Course.find(Path(__file__).parent)


def test_a_sample_of_odd_frames_is_refused():
    """The decoder gives a value or a `CodecError`, whatever comes; valid frames are among what comes."""
    assert 0 < fuzz_decoder(4000, seed=231) < 4000


def test_a_sample_of_odd_notebooks_is_planned():
    """Nothing is raised, no answer is lost, and no statement of a solution runs more than twice."""
    counts = fuzz_plans([COURSE.assignment(name) for name in COURSE.assignments], 231, seconds=20, count=9)
    assert counts.holes == []
    assert counts.readable
    assert counts.tokens


@pytest.mark.parametrize("name", COURSE.assignments)
def test_a_release_handed_in_is_unchanged(name):
    """All of its exercises."""
    assert holes_of_a_release(COURSE.assignment(name)) == []


def test_a_sample_of_hostile_hosts_gets_nowhere():
    """Whatever they send ends in a stated error, or in an answer that is judged; some calls are right and answered."""
    counts = fuzz_stand_ins([COURSE.assignment("two_layer_net")], 231, seconds=20, count=200)
    assert counts.holes == []
    assert counts.answered
