"""A sample of the attacks, and of the fuzzing: `make attacks` and `make fuzz` run all of it."""

from corpus import ATTACKS, SAMPLE
from fuzz import fuzz_decoder
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


def test_a_sample_of_odd_frames_is_refused():
    """The decoder gives a value or a `CodecError`, whatever comes; valid frames are among what comes."""
    assert 0 < fuzz_decoder(4000, seed=231) < 4000
