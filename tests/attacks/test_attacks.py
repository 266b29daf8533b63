"""A sample of the attacks: `make attacks` runs all of them."""

from corpus import ATTACKS, SAMPLE
from harness import run


def test_a_sample_of_attacks_comes_to_nothing(tmp_path):
    """A class of attackers among honest students: nobody gains, nothing leaks, the honest keep full marks."""
    report = run(SAMPLE, tmp_path, limit_s=240)
    assert report.failures == []
    assert "bubblewrap" in report.protections


def test_every_attack_has_a_name_of_its_own():
    """Each is one student of the class, and says what it tries."""
    assert len({attack.student for attack in ATTACKS}) == len(ATTACKS) >= 40
    assert all(attack.tries for attack in ATTACKS)
