"""Grading: hidden graders judge a submission in its sandbox, and a verdict comes out.

What a grader module imports is here; `grade` and `grade_all` are in modules of their own, `grade` and `batch`.
"""

from gradlab_staff.grading.alignment import alignment, centred, chance_along, follow
from gradlab_staff.grading.chance import (
    binomial_tail,
    expect_share,
    mask_in,
    read_mask,
    read_ratio,
)
from gradlab_staff.grading.evidence import (
    about,
    observe,
)
from gradlab_staff.grading.judge import (
    CheckFailed,
    array,
    attempt,
    central_differences,
    entries,
    expect,
    expect_close,
    expect_one_of,
    function,
    instance,
    number,
    rel_error,
    unpack,
)
from gradlab_staff.grading.marks import (
    misconception,
    stands_in,
    time_limit,
    weight,
)

__all__ = [
    "CheckFailed",
    "about",
    "alignment",
    "array",
    "attempt",
    "binomial_tail",
    "central_differences",
    "centred",
    "chance_along",
    "entries",
    "expect",
    "expect_close",
    "expect_one_of",
    "expect_share",
    "follow",
    "function",
    "instance",
    "mask_in",
    "misconception",
    "number",
    "observe",
    "read_mask",
    "read_ratio",
    "rel_error",
    "stands_in",
    "time_limit",
    "unpack",
    "weight",
]
