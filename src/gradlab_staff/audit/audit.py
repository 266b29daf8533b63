"""The audit: wrong solutions must lose, right ones must win, and the verdict is the same every time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from gradlab_staff.audit.causes import Diagnosis
from gradlab_staff.audit.equivalent import Equivalent, load_equivalents
from gradlab_staff.audit.mutants import Mutant, in_turns, make_mutants
from gradlab_staff.audit.reach import reach_of
from gradlab_staff.audit.report import AuditReport, Flip, Survivor, WrongTried
from gradlab_staff.audit.trials import Crew, Found, Trial, Tried, crew, lost
from gradlab_staff.audit.variants import Variant, load_variants
from gradlab_staff.course import Assignment
from gradlab_staff.grading.diagnosis import load_misconceptions
from gradlab_staff.grading.marks import Spec
from gradlab_staff.grading.verdict import Outcome

__all__ = ["AuditOptions", "audit"]

SEEDS_A_TRIAL = 10
"""How many runs of a steadiness trial one host makes."""


@dataclass(frozen=True)
class AuditOptions:
    """How to audit: how many of each kind (None: all), how many repeated runs, one exercise alone, the first loss."""

    sample: int | None = None
    flips: int = 0
    workers: int = 2
    exercise: str | None = None
    quick: bool = False
    seed: int | None = None


def audit(
    assignment: Assignment,
    options: AuditOptions,
    progress: Callable[[str, int, int], None] = lambda *_: None,
    tell: Callable[[str], None] = lambda _: None,
) -> AuditReport:
    """The audit of an assignment's hidden graders.

    `progress` is told a stage, how far it is, and of how many; `tell` what is to be mended, as soon as it is found.

    Raises
    ------
    CourseError
        Where the assignment's variants or equivalents are not what they should be.
    GraderError
        Where the instructor's own solution does not get full marks.
    """
    started = time.monotonic()
    seed = secrets.randbits(40) if options.seed is None else options.seed
    with crew(assignment, options.workers) as workers:
        one = _Audit(assignment, options, workers, (seed, seed + 1), progress, tell)
        one.measure_reach()
        one.try_misconceptions()
        one.try_mutants()
        one.try_variants()
        one.try_again_and_again()
    return one.report(seed, time.monotonic() - started)


@dataclass
class _Audit:
    """An audit under way."""

    assignment: Assignment
    options: AuditOptions
    crew: Crew
    seeds: tuple[int, int]
    progress: Callable[[str, int, int], None]
    tell: Callable[[str], None]
    reach: dict[str, frozenset[str]] = field(default_factory=dict)
    wrong: list[WrongTried] = field(default_factory=list)
    survivors: list[Survivor] = field(default_factory=list)
    rejected: dict[str, tuple[str, ...]] = field(default_factory=dict)
    variants: int = 0
    steady: list[Flip] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    diagnosis: Diagnosis = field(init=False)

    def __post_init__(self) -> None:
        self.every = tuple(exercise.name for exercise in self.assignment.exercises)
        # read before the long work begins: a file that is broken is told at once
        self.specs = [one for one in load_misconceptions(self.assignment).values() if self._asked(one.exercise)]
        self.diagnosis = Diagnosis(tuple(self.specs), {})
        self.right = [one for one in load_variants(self.assignment) if any(map(self._asked, one.sources))]
        self.equivalents = load_equivalents(self.assignment)

    def _try(self, stage: str, trials: Iterable[Trial]) -> Iterator[Tried]:
        """The trials that came to a result, as they come; what broke goes to the errors."""
        waiting = list(trials)
        for done, tried in enumerate(self.crew.try_all(waiting), 1):
            self.progress(stage, done, len(waiting))
            if tried.error:
                self.errors.append(f"{tried.trial.name}: {tried.error}")
                self.tell(f"error: {self.errors[-1]}")
            else:
                yield tried

    def _asked(self, exercise: str) -> bool:
        return self.options.exercise in (None, exercise)

    # -- wrong solutions ---

    def measure_reach(self) -> None:
        """Find out whose graders a mutant could cost points."""
        if self.options.exercise:
            return
        self.progress("reach", 0, 1)
        where = self.crew.assignment.course.root, self.crew.assignment.name
        self.reach = self.crew.pool.submit(reach_of, *where, self.seeds).result()

    def try_misconceptions(self) -> None:
        """Grade each misconception: on both seeds for the diagnosis, then as a student's, by all that it can reach."""
        specs = {spec.name: spec for spec in self.specs}
        trials = [
            Trial(spec.name, {spec.exercise: spec.source}, (spec.exercise,), self.seeds, fallback=False)
            for spec in specs.values()
        ]
        for tried in self._try("misconceptions, for the diagnosis", () if self.options.quick else trials):
            self.diagnosis.rivals[tried.trial.name] = tried.results
        full = [
            Trial(spec.name, {spec.exercise: spec.source}, self._graders(spec.exercise), self.seeds[:1])
            for spec in in_turns(self.specs, self.options.sample)
        ]
        for tried in self._try("misconceptions", full):
            spec = specs[tried.trial.name]
            cause = "" if self.options.quick else self.diagnosis.cause(spec.exercise, tried.results[0])
            self._keep(_wrong("misconception", spec.exercise, tried, cause, cause == spec.name))
            if not self.options.quick and cause != spec.name:
                self.tell(f"misconception not named: {spec.name}, got {cause or 'none'}")

    def try_mutants(self) -> None:
        """Grade each mutant by the graders that it can cost points; name the causes; sort out who survives."""
        made = {mutant.id: mutant for mutant in make_mutants(self.assignment) if self._asked(mutant.exercise)}
        known = {id: one for id, one in self.equivalents.items() if self._asked(id.split("-")[0])}
        self.stale = sorted(set(known) - set(made))
        chosen = in_turns(sorted(made.values(), key=lambda mutant: mutant.id), self.options.sample)
        named: list[WrongTried] = []
        for tried in self._try("mutants", map(self._trial, chosen)):
            mutant = made[tried.trial.name]
            one = self._judge(mutant, tried, known.get(mutant.id))
            self._keep(one, named if one.cause else self.wrong)
        self._cross_check(named, made)

    def _graders(self, exercise: str) -> tuple[str, ...]:
        """The exercises whose graders a wrong solution of `exercise` could cost points."""
        return (exercise, *(() if self.options.exercise else sorted(self.reach.get(exercise, ()))))

    def _trial(self, mutant: Mutant) -> Trial:
        stop = "first" if self.options.quick else "late"
        graders = self._graders(mutant.exercise)
        return Trial(mutant.id, {mutant.exercise: mutant.source}, graders, self.seeds[:1], stop)

    def _judge(self, mutant: Mutant, tried: Tried, known: Equivalent | None) -> WrongTried:
        (results,) = tried.results
        killed = lost(results[mutant.exercise])
        if not killed:
            reason = known.reason if known else ""
            self.survivors.append(Survivor(mutant.id, mutant.exercise, mutant.operator, mutant.diff, reason))
            if not reason:
                self.tell(f"hole: {mutant.id}\n{mutant.diff}")
        elif known and not known.either:
            self.contradictions.append(f"{mutant.id}: {', '.join(_failed(results, (mutant.exercise,)))}")
            self.tell(f"recorded as right, and marked down: {self.contradictions[-1]}")
        cause = self.diagnosis.cause(mutant.exercise, results) if killed and not self.options.quick else ""
        return _wrong("mutant", mutant.exercise, tried, cause, False)

    def _keep(self, one: WrongTried, among: list[WrongTried] | None = None) -> None:
        (self.wrong if among is None else among).append(one)
        if one.kind == "misconception" and not one.lost:
            self.tell(f"misconception that lost nothing: {one.id}")
        if one.others:
            self.tell(f"double jeopardy: {one.id} cost points in {', '.join(one.others)}")

    def _cross_check(self, named: list[WrongTried], made: dict[str, Mutant]) -> None:
        """Whether the causes are the right ones: the mutants behave as they say on other inputs too."""
        trials = [
            Trial(one.id, {one.exercise: made[one.id].source}, (one.exercise,), self.seeds[1:], "late") for one in named
        ]
        ones = {one.id: one for one in named}
        for tried in self._try("causes, on another seed", trials):
            one = ones.pop(tried.trial.name)
            right = self.diagnosis.is_right(one.exercise, one.cause, tried.results[0])
            self.wrong.append(WrongTried(**{**vars(one), "cause_right": right}))
        self.wrong.extend(ones.values())

    # -- right solutions ---

    def try_variants(self) -> None:
        """Grade each variant by all graders: each gets full marks."""
        found = in_turns(self.right, self.options.sample)
        self.variants = len(found)
        for tried in self._try("variants", map(self._full, found)):
            if checks := _failed(tried.results[0], self.every):
                self.rejected[tried.trial.name] = checks
                self.tell(f"right, and marked down: {tried.trial.name}: {', '.join(checks)}")

    def _full(self, one: Variant) -> Trial:
        exercises = (self.options.exercise,) if self.options.exercise else self.every
        return Trial(one.name, one.sources, exercises, self.seeds[:1])

    # -- again and again ---

    def try_again_and_again(self) -> None:
        """Grade the instructor's solution and one misconception of each exercise on many seeds."""
        first: dict[str, Spec] = {}
        for spec in self.specs:
            first.setdefault(spec.exercise, spec)
        seeds = range(self.seeds[1] + 1, self.seeds[1] + 1 + self.options.flips)
        parts = [tuple(seeds[i : i + SEEDS_A_TRIAL]) for i in range(0, len(seeds), SEEDS_A_TRIAL)]
        trials = []
        for name in filter(self._asked, self.every):
            trials += [Trial(f"right {name}", {}, (name,), part) for part in parts]
            if name in first:
                source = {name: first[name].source}
                trials += [Trial(f"wrong {name} ({first[name].name})", source, (name,), part) for part in parts]
        runs: dict[str, list[Found]] = {}
        told: dict[str, int] = {}
        for tried in self._try("again and again", trials):
            runs.setdefault(tried.trial.name, []).extend(tried.results)
            if (now := _steadiness(tried.trial.name, runs[tried.trial.name])).flips > told.get(now.submission, 0):
                told[now.submission] = now.flips
                self.tell(f"flips: {now.submission}: {now.flips} of {now.runs} runs: {', '.join(now.checks)}")
        self.steady = [_steadiness(name, results) for name, results in sorted(runs.items())]

    def report(self, seed: int, seconds: float) -> AuditReport:
        """What the audit found."""
        order = {name: place for place, name in enumerate(self.every)}
        return AuditReport(
            assignment=self.assignment.name,
            seed=seed,
            wrong=tuple(sorted(self.wrong, key=lambda one: (order[one.exercise], one.id))),
            survivors=tuple(sorted(self.survivors, key=lambda one: (order[one.exercise], bool(one.reason), one.id))),
            variants=self.variants,
            rejected=self.rejected,
            steady=tuple(self.steady),
            diagnosed=not self.options.quick,
            reach={name: tuple(sorted(others)) for name, others in self.reach.items()},
            stale=tuple(self.stale),
            contradictions=tuple(self.contradictions),
            errors=tuple(self.errors),
            seconds=seconds,
        )


def _failed(results: Found, exercises: Iterable[str]) -> tuple[str, ...]:
    return tuple(
        f"{exercise}::{result.name}"
        for exercise in exercises
        for result in results.get(exercise, ())
        if result.outcome is not Outcome.PASSED
    )


def _wrong(kind: str, exercise: str, tried: Tried, cause: str, right: bool) -> WrongTried:
    results = tried.results[0]
    own = _failed(results, (exercise,))
    others = _failed(results, (name for name in results if name != exercise))
    return WrongTried(tried.trial.name, kind, exercise, bool(own), own, others, cause, right)


def _steadiness(name: str, runs: list[Found]) -> Flip:
    """How many runs ended otherwise than most, or than they should: the right one in full, the wrong one not."""
    endings = [frozenset(_failed(results, results)) for results in runs]
    wrong = [ending for ending in endings if ending]
    usual = max(wrong, key=endings.count, default=None) if name.startswith("wrong") else frozenset()
    odd = [ending for ending in endings if ending != usual]
    differing = frozenset().union(*(ending ^ (usual or frozenset()) for ending in odd))
    return Flip(name, len(runs), len(odd), tuple(sorted(differing)))
