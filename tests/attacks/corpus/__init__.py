"""The attacks, a module a kind: each a notebook, with the harm that it tries.

All are bounded in time, memory, processes and disk, so that the machine survives them where a protection is missing.
"""

from __future__ import annotations

from dataclasses import replace

from .attack import Attack
from .brute import BRUTE
from .calling import CALLING
from .channels import CHANNELS as _CHANNELS
from .channels import Channel
from .circular import CIRCULAR
from .collusion import COLLUSION
from .cost import COST, COSTLY
from .forging import FORGING
from .hedging import HEDGING
from .intake import INTAKE
from .lying import LYING
from .oracles import ORACLES
from .pages import PAGES
from .patching import PATCHING
from .processes import PROCESSES
from .reading import NETWORK, READING
from .resources import RESOURCES
from .sequence import SEQUENCE
from .trick import Trick
from .trivial import TRIVIAL
from .trusted import TRUSTED

__all__ = ["ATTACKS", "CHANNELS", "SAMPLE", "SAMPLE_CHANNELS", "SAMPLE_TRICKS", "TRICKS", "Attack", "Channel", "Trick"]

KINDS = {
    "reading": READING,
    "network": NETWORK,
    "patching": PATCHING,
    "forging": FORGING,
    "calling": CALLING,
    "oracles": ORACLES,
    "lying": LYING,
    "processes": PROCESSES,
    "resources": RESOURCES,
    "cost": COST,
    "pages": PAGES,
    "intake": INTAKE,
    "trusted": TRUSTED,
}
"""By kind, the attacks on the made-up course of `target`."""

ATTACKS = tuple(replace(attack, kind=kind) for kind, attacks in KINDS.items() for attack in attacks)
TRICK_KINDS = {
    "circular": CIRCULAR,
    "brute": BRUTE,
    "hedging": HEDGING,
    "sequence": SEQUENCE,
    "trivial": TRIVIAL,
    "collusion": COLLUSION,
    "costly": COSTLY,
}
"""By kind, the attacks on the course's own assignments."""
TRICKS = tuple(replace(trick, kind=kind) for kind, tricks in TRICK_KINDS.items() for trick in tricks)
CHANNELS = tuple(_CHANNELS)
"""Attacks by two sandboxes at once."""
_QUICK = (
    "read_files", "patch_codec", "patch_host", "forge_before", "forge_handles", "closed_stand_in", "junk_params",
    "callback_nonsense", "lying_object", "left_behind", "kill_others", "html_outputs", "escapes", "linked_student",
    "claims_points", "method_of_a_class", "forged_states",
)  # fmt: skip
SAMPLE = tuple(attack for attack in ATTACKS if attack.name in _QUICK)
SAMPLE_TRICKS = tuple(trick for trick in TRICKS if trick.name in ("circular_gradients", "hedge_own"))
SAMPLE_CHANNELS = tuple(channel for channel in CHANNELS if channel.name == "locks")
"""What `make test` runs of all of them."""
