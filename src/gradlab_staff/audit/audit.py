"""The audit: wrong solutions must lose, right ones must win, and the verdict is the same every time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from gradlab_staff.audit.causes import Diagnosis
from gradlab_staff.audit.coverage import coverage_of
from gradlab_staff.audit.equivalent import Equivalent, load_equivalents
from gradlab_staff.audit.kept import open_kept
from gradlab_staff.audit.mutants import Mutant, in_turns, make_mutants
from gradlab_staff.audit.report import TRIVIAL_SHARE, AuditReport, Flip, Survivor, TrivialTried, WrongTried
from gradlab_staff.audit.trials import TRIAL_S, Found, Trial, Trials, Tried, lost
from gradlab_staff.audit.triviality import Trivial, trivial_answers
from gradlab_staff.audit.variants import Variant, load_variants
from gradlab_staff.course import Assignment
from gradlab_staff.errors import GraderError
from gradlab_staff.grading.diagnosis import load_misconceptions
from gradlab_staff.grading.marks import Spec
from gradlab_staff.grading.verdict import ExerciseResult, Outcome
from gradlab_staff.pool import Pool, Worker, WorkerError

__all__ = ["AuditOptions", "audit", "forget"]

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
    restart: bool = False
    """Whether to discard the results of an interrupted audit."""


def audit(
    assignment: Assignment,
    options: AuditOptions,
    progress: Callable[[str, int, int], None] = lambda *_: None,
    on_finding: Callable[[str], None] = lambda _: None,
) -> AuditReport:
    """Audit an assignment's hidden graders, and return what was found.

    `progress` is called with a stage, how far it is, and of how many; `on_finding` with what is to be fixed, as soon as
    it is found. What is found is kept until `forget`: an interrupted audit goes on where it stopped.

    Raises
    ------
    CourseError
        Where the assignment's variants or equivalents are not what they should be.
    GraderError
        Where the instructor's own solution does not get full marks.
    """
    started = time.monotonic()
    kept = open_kept(assignment, options.seed, restart=options.restart)
    if kept.results:
        on_finding(f"{len(kept.results)} results kept from an interrupted audit, seed {kept.seed}. Anew: --restart")
    with Pool(options.workers) as pool:
        one = _Audit(assignment, options, Trials(assignment, pool, kept), progress, on_finding)
        one.measure_coverage()
        one.try_misconceptions()
        one.try_mutants()
        one.try_trivial()
        one.try_variants()
        one.try_again_and_again()
    return one.report(kept.seed, time.monotonic() - started)


def forget(assignment: Assignment) -> None:
    """Delete what has been kept of an audit: it has come to its end, and been reported."""
    open_kept(assignment).discard()


@dataclass
class _Audit:
    """An audit under way."""

    assignment: Assignment
    options: AuditOptions
    trials: Trials
    progress: Callable[[str, int, int], None]
    on_finding: Callable[[str], None]
    coverage: dict[str, frozenset[str]] = field(default_factory=dict)
    wrong: list[WrongTried] = field(default_factory=list)
    survivors: list[Survivor] = field(default_factory=list)
    trivial: list[TrivialTried] = field(default_factory=list)
    rejected: dict[str, tuple[str, ...]] = field(default_factory=dict)
    variants: int = 0
    steady: list[Flip] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    diagnosis: Diagnosis = field(init=False)

    def __post_init__(self) -> None:
        self.seeds = self.trials.kept.seed, self.trials.kept.seed + 1
        self.every = tuple(exercise.name for exercise in self.assignment.exercises)
        # read before the long work begins: a file that is broken is reported at once
        self.specs = [one for one in load_misconceptions(self.assignment).values() if self._asked(one.exercise)]
        self.diagnosis = Diagnosis(tuple(self.specs), {})
        self.right = [one for one in load_variants(self.assignment) if any(map(self._asked, one.sources))]
        self.hollow = trivial_answers(self.assignment)
        self.equivalents = load_equivalents(self.assignment)

    def _try(self, stage: str, trials: Iterable[Trial]) -> Iterator[Tried]:
        """Yield the trials that came to a result, as they come; what broke goes to the errors."""
        waiting = list(trials)
        for done, tried in enumerate(self.trials.try_all(waiting), 1):
            self.progress(stage, done, len(waiting))
            if tried.error:
                self.errors.append(f"{tried.trial.name}: {tried.error}")
                self.on_finding(f"error: {self.errors[-1]}")
            else:
                yield tried

    def _asked(self, exercise: str) -> bool:
        return self.options.exercise in (None, exercise)

    # -- wrong solutions ---

    def measure_coverage(self) -> None:
        """Find out whose graders a mutant could cost points."""
        if self.options.exercise:
            return
        self.progress("coverage", 0, 1)
        tried = ["coverage", self.seeds]
        known = self.trials.kept.get(tried)
        if known is None:
            (measured,) = self.trials.pool.map(self._measure, [self.seeds])
            known = {name: sorted(others) for name, others in measured.items()}
            self.trials.kept.put(tried, known)
        self.coverage = {name: frozenset(others) for name, others in known.items()}

    def _measure(self, worker: Worker, seeds: tuple[int, int]) -> dict[str, frozenset[str]]:
        root, name = self.assignment.course.root, self.assignment.name
        try:
            return worker.call(coverage_of, root, name, seeds, limit_s=TRIAL_S)
        except WorkerError as error:
            raise GraderError(f"{name}: expected the coverage of the graders, got none: {error}.") from error

    def try_misconceptions(self) -> None:
        """Grade each misconception: on both seeds for the diagnosis, then as a student's, by all that run its code."""
        specs = {spec.name: spec for spec in self.specs}
        trials = [
            Trial(spec.name, {spec.exercise: spec.source}, (spec.exercise,), self.seeds, fallback=False)
            for spec in specs.values()
        ]
        for tried in self._try("misconceptions, for the diagnosis", () if self.options.quick else trials):
            self.diagnosis.candidates[tried.trial.name] = tried.results
        full = [
            Trial(spec.name, {spec.exercise: spec.source}, self._graders(spec.exercise), self.seeds[:1])
            for spec in in_turns(self.specs, self.options.sample)
        ]
        for tried in self._try("misconceptions", full):
            spec = specs[tried.trial.name]
            cause = "" if self.options.quick else self.diagnosis.cause(spec.exercise, tried.results[0])
            self._keep(_wrong("misconception", spec.exercise, tried, cause, cause == spec.name))
            if not self.options.quick and cause != spec.name:
                self.on_finding(f"misconception not named: {spec.name}, got {cause or 'none'}")

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
        """Return the exercises whose graders a wrong solution of `exercise` could cost points."""
        return (exercise, *(() if self.options.exercise else sorted(self.coverage.get(exercise, ()))))

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
                self.on_finding(f"hole: {mutant.id}\n{mutant.diff}")
        elif known and not known.either:
            self.contradictions.append(f"{mutant.id}: {', '.join(_failed(results, (mutant.exercise,)))}")
            self.on_finding(f"recorded as equivalent, but lost points: {self.contradictions[-1]}")
        cause = self.diagnosis.cause(mutant.exercise, results) if killed and not self.options.quick else ""
        return _wrong("mutant", mutant.exercise, tried, cause, False)

    def _keep(self, one: WrongTried, among: list[WrongTried] | None = None) -> None:
        (self.wrong if among is None else among).append(one)
        if one.kind == "misconception" and not one.lost:
            self.on_finding(f"misconception that lost nothing: {one.id}")
        if one.others:
            self.on_finding(f"double jeopardy: {one.id} cost points in {', '.join(one.others)}")

    def _cross_check(self, named: list[WrongTried], made: dict[str, Mutant]) -> None:
        """Find out whether the causes are the right ones: the mutants behave as they say on other inputs too."""
        trials = [
            Trial(one.id, {one.exercise: made[one.id].source}, (one.exercise,), self.seeds[1:], "late") for one in named
        ]
        ones = {one.id: one for one in named}
        for tried in self._try("causes, on another seed", trials):
            one = ones.pop(tried.trial.name)
            right = self.diagnosis.is_right(one.exercise, one.cause, tried.results[0])
            self.wrong.append(WrongTried(**{**vars(one), "cause_right": right}))
        self.wrong.extend(ones.values())

    # -- no solutions ---

    def try_trivial(self) -> None:
        """Grade each trivial answer as a student's: it earns next to nothing of the exercises that it answers."""
        chosen = in_turns([one for one in self.hollow if any(map(self._asked, one.sources))], self.options.sample)
        for tried in self._try("trivial answers", map(self._pretence, chosen)):
            for exercise, checks in tried.results[0].items():
                result = ExerciseResult(f"{self.assignment.name}/{exercise}", 1.0, tuple(checks))
                one = TrivialTried(tried.trial.name, exercise, result.share, tuple(sorted(result.counting)))
                self.trivial.append(one)
                if one.share > TRIVIAL_SHARE:
                    told = f"{one.share:.0%} of {exercise} by {', '.join(one.checks)}"
                    self.on_finding(f"trivial answer that earned points: {one.id}: {told}")

    def _pretence(self, one: Trivial) -> Trial:
        return Trial(one.name, one.sources, tuple(filter(self._asked, one.sources)), self.seeds[:1])

    # -- right solutions ---

    def try_variants(self) -> None:
        """Grade each variant by all graders: each gets full marks."""
        found = in_turns(self.right, self.options.sample)
        self.variants = len(found)
        for tried in self._try("variants", map(self._full, found)):
            if checks := _failed(tried.results[0], self.every):
                self.rejected[tried.trial.name] = checks
                self.on_finding(f"right variant that lost points: {tried.trial.name}: {', '.join(checks)}")

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
        reported: dict[str, int] = {}
        for tried in self._try("again and again", trials):
            runs.setdefault(tried.trial.name, []).extend(tried.results)
            if (now := _steadiness(tried.trial.name, runs[tried.trial.name])).flips > reported.get(now.submission, 0):
                reported[now.submission] = now.flips
                self.on_finding(f"flips: {now.submission}: {now.flips} of {now.runs} runs: {', '.join(now.checks)}")
        self.steady = [_steadiness(name, results) for name, results in sorted(runs.items())]

    def report(self, seed: int, seconds: float) -> AuditReport:
        """Return what the audit found."""
        order = {name: place for place, name in enumerate(self.every)}
        return AuditReport(
            assignment=self.assignment.name,
            seed=seed,
            wrong=tuple(sorted(self.wrong, key=lambda one: (order[one.exercise], one.id))),
            survivors=tuple(sorted(self.survivors, key=lambda one: (order[one.exercise], bool(one.reason), one.id))),
            trivial=tuple(sorted(self.trivial, key=lambda one: (order[one.exercise], one.id))),
            variants=self.variants,
            rejected=self.rejected,
            steady=tuple(self.steady),
            diagnosed=not self.options.quick,
            coverage={name: tuple(sorted(others)) for name, others in self.coverage.items()},
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
    """Count the runs that ended otherwise than most, or than they should: the right one in full, the wrong one not."""
    endings = [frozenset(_failed(results, results)) for results in runs]
    wrong = [ending for ending in endings if ending]
    usual = max(wrong, key=endings.count, default=None) if name.startswith("wrong") else frozenset()
    odd = [ending for ending in endings if ending != usual]
    differing = frozenset().union(*(ending ^ (usual or frozenset()) for ending in odd))
    return Flip(name, len(runs), len(odd), tuple(sorted(differing)))
