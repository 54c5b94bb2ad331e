"""Results of gradient checks, and the report as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["pass", "fail", "inconclusive", "vacuous"]
Subject = Literal["built-in", "gradient-file", "function"]

# The most serious first.
SERIOUSNESS: tuple[Verdict, ...] = ("fail", "inconclusive", "vacuous", "pass")
RULE = "|a - n| <= atol + rtol * max(|a|, |n|); NaN and infinity never agree"
_JSON_KEYS = (
    "name",
    "verdict",
    "method",
    "step",
    "dtype",
    "rtol",
    "atol",
    "entries",
    "over_tolerance",
    "non_finite",
    "max_abs_error",
    "max_rel_error",
    "worst",
    "diagnosis",
    "reproduce",
    "points",
    "vacuous",
    "subject",
    "about",
    "file",
    "line",
    "seed",
)


@dataclass(frozen=True)
class Entry:
    """One compared entry: |analytic - reference| and what the rule allows."""

    index: list[int]
    analytic: float
    reference: float
    abs_error: float
    rel_error: float
    allowed: float


@dataclass(frozen=True)
class Counts:
    """Largest errors and counts of the compared entries and points (or rows).

    atol     the largest absolute tolerance applied
    vacuous  points that prove nothing: a gradient of zeros would agree there as well
    """

    atol: float = 0.0
    max_abs_error: float = 0.0
    max_rel_error: float = 0.0
    entries: int = 0
    over_tolerance: int = 0
    non_finite: int = 0
    proven_wrong: int = 0
    undecided: int = 0
    points: int = 0
    vacuous: int = 0

    @property
    def verdict(self) -> Verdict:
        """The verdict that these counts prove."""
        if 2 * self.undecided > self.entries:
            # If most of the reference is in doubt, the rest of it proves nothing either.
            return "inconclusive"
        if self.proven_wrong:
            return "fail"
        if self.vacuous == self.points:
            return "vacuous"
        return "inconclusive" if self.undecided else "pass"


@dataclass(frozen=True)
class Check:
    """The result of comparing one gradient with its reference.

    subject     whose derivative was checked
    about       a line for built-in derivatives: where they were checked
    file, line  the gradient file, or the source code of the function
    seed        of the points, if it differs from the seed of the report
    """

    name: str
    verdict: Verdict
    method: str
    step: float | None
    dtype: str
    rtol: float
    counts: Counts
    worst: list[Entry]
    diagnosis: str | None = None
    reproduce: str = ""
    subject: Subject | None = None
    about: str | None = None
    file: str | None = None
    line: int | None = None
    seed: int | None = None

    def __getattr__(self, name: str) -> Any:
        """Return a field of the counts: `check.entries` is short for `check.counts.entries`."""
        if name in Counts.__dataclass_fields__:
            return getattr(self.counts, name)
        raise AttributeError(f"a check has no attribute {name!r}", name=name, obj=self)

    @property
    def summary(self) -> str:
        """The verdict and the counts, in one line."""
        counts = self.counts
        if not counts.entries:
            found = "no entry was compared"
        elif self.verdict == "pass":
            found = f"{counts.entries} entries agree"
        elif self.verdict == "vacuous":
            found = "the derivative is zero to within rounding; a wrong one would agree as well"
        else:
            found = f"{counts.over_tolerance} of {counts.entries} entries over tolerance"
            if counts.non_finite:
                found += f", {counts.non_finite} not finite"
        if counts.vacuous and self.verdict != "vacuous":
            found += f"; {counts.vacuous} of {counts.points} points prove nothing"
        return f"{self.verdict}, {found}"

    @property
    def headline(self) -> str:
        """The summary and the diagnosis, in one line."""
        return f"{self.summary}; it looks like {self.diagnosis}" if self.diagnosis else self.summary

    def details(self) -> list[str]:
        """Return the diagnosis and the worst entries, one per line."""
        return [f"it looks like {self.diagnosis}"] * (self.diagnosis is not None) + [
            f"[{', '.join(map(str, entry.index))}] {entry.analytic:.6g}, "
            f"reference {entry.reference:.6g}, error {entry.abs_error:.2g}, "
            f"allowed {entry.allowed:.2g}"
            for entry in self.shown_entries
        ]

    @property
    def shown_entries(self) -> list[Entry]:
        """The worst entries that support the verdict."""
        if self.verdict == "fail":
            return [entry for entry in self.worst if not entry.abs_error <= entry.allowed]
        return self.worst if self.verdict == "inconclusive" else []

    @property
    def how(self) -> str:
        """How the reference was computed."""
        unit = "" if self.method == "complex" else " * max(1, |x|)"
        step = "" if self.step is None else f", step {self.step:.3g}{unit}"
        return f"{self.method}{step}; dtype {self.dtype}"


@dataclass(frozen=True)
class Report:
    """The results of all checks of a run; `str(report)` is the report as plain text."""

    seed: int
    checks: list[Check]

    @property
    def verdict(self) -> Verdict:
        """The most serious verdict of the checks; vacuous if there are none."""
        return overall([check.verdict for check in self.checks])

    @property
    def subject(self) -> Subject | Literal["mixed"] | None:
        """Whose derivatives were checked; None if there are no checks."""
        subjects = {check.subject for check in self.checks}
        return "mixed" if len(subjects) > 1 else next(iter(subjects), None)

    @property
    def labelled_verdict(self) -> str:
        """The verdict, with a note if only built-in derivatives were checked."""
        builtin = self.subject == "built-in"
        return f"{self.verdict} (built-in derivatives)" if builtin else self.verdict

    @property
    def about(self) -> list[str]:
        """Lines that introduce checks of built-in derivatives."""
        lines = [check.about for check in self.checks if check.about]
        return list(dict.fromkeys(lines))

    def as_dict(self) -> dict[str, Any]:
        """Return the report as the object that the command prints as JSON."""
        checks = [
            {key: getattr(check, key) for key in _JSON_KEYS}
            | {"worst": [asdict(entry) for entry in check.worst], "seed": self._seed_of(check)}
            for check in self.checks
        ]
        facts = {"verdict": self.verdict, "subject": self.subject, "seed": self.seed}
        return {"command": "gradcheck", **facts, "checks": checks}

    def raise_on_failure(self) -> None:
        """Raise an AssertionError with the report as its message unless the verdict is "pass"."""
        if self.verdict != "pass":
            raise AssertionError(str(self))

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """Return the lines of the plain text; names in them are not escaped."""
        lines = [f"gradcheck: {self.labelled_verdict}", *self.about]
        for check in self.checks:
            lines.append(f"{check.name}: {check.summary}")
            lines += [f"  {line}" for line in check.details()]
        return [*lines, *self.settings()]

    def settings(self) -> list[str]:
        """Return the rule, references, tolerances and commands to repeat the checks, each once."""
        references: dict[str, list[str]] = {}
        atols: dict[float, list[float]] = {}
        for check in self.checks:
            reference = f"{check.how}; seed {self._seed_of(check)}"
            references.setdefault(reference, []).append(check.name)
            atols.setdefault(check.rtol, []).append(check.counts.atol)
        lines = [f"rule: {RULE}"]
        for reference, names in references.items():
            of = f" ({', '.join(names)})" if len(references) > 1 else ""
            lines.append(f"reference: {reference}{of}")
        for rtol, each in atols.items():
            least, most = min(each), max(each)
            atol = f"{most:.3g}" if least == most else f"{least:.3g} to {most:.3g} by check"
            lines.append(f"tolerance: rtol {rtol:.3g}, atol {atol}")
        commands = dict.fromkeys(check.reproduce for check in self.checks if check.reproduce)
        return [*lines, *(f"repeat: {command}" for command in commands)]

    def _seed_of(self, check: Check) -> int:
        return self.seed if check.seed is None else check.seed


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the most serious of several verdicts.

    >>> overall(["pass", "vacuous", "pass"]), overall([])
    ('vacuous', 'vacuous')
    """
    return min(verdicts, key=SERIOUSNESS.index, default="vacuous")
