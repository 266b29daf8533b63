"""The audit of hidden graders: do wrong solutions lose, do right ones win, and is it so every time?"""

from gradlab_staff.audit.variants import Variant, changed, mistake, trivial, variant

__all__ = ["Variant", "changed", "mistake", "trivial", "variant"]
