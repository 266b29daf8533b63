"""The attacks, a module a kind: each a notebook, with the harm that it tries.

All are bounded in time, memory, processes and disk, so that the machine survives them where a protection is missing.
"""

from __future__ import annotations

from dataclasses import replace

from .attack import Attack
from .calling import CALLING
from .forging import FORGING
from .intake import INTAKE
from .lying import LYING
from .oracles import ORACLES
from .pages import PAGES
from .patching import PATCHING
from .reading import NETWORK, READING
from .resources import RESOURCES

__all__ = ["ATTACKS", "SAMPLE", "Attack"]

KINDS = {
    "reading": READING,
    "network": NETWORK,
    "patching": PATCHING,
    "forging": FORGING,
    "calling": CALLING,
    "oracles": ORACLES,
    "lying": LYING,
    "resources": RESOURCES,
    "pages": PAGES,
    "intake": INTAKE,
}
"""By kind, the attacks on the made-up course of `target`."""

ATTACKS = tuple(replace(attack, kind=kind) for kind, attacks in KINDS.items() for attack in attacks)
_QUICK = (
    "read_files", "patch_codec", "patch_host", "forge_before", "forge_handles", "closed_stand_in", "junk_params",
    "callback_nonsense", "lying_object", "left_behind", "kill_others", "html_outputs", "escapes", "linked_student", "claims_points",
    "method_of_a_class", "forged_states",
)  # fmt: skip
SAMPLE = tuple(attack for attack in ATTACKS if attack.name in _QUICK)
