"""What gradient checks found: verdicts, counts and worst entries, and the text that tells them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["pass", "fail", "inconclusive", "vacuous"]
Subject = Literal["built-in", "gradient-file", "function"]

RULE = "|a - n| <= atol + rtol * max(|a|, |n|); NaN and infinity never agree"
DIGITS = 6


@dataclass(frozen=True)
class Entry:
    """One compared pair: |analytic - reference| against what the rule allows."""

    index: list[int]
    analytic: float
    reference: float
    abs_error: float
    rel_error: float
    allowed: float


@dataclass(frozen=True)
class Check:
    """The outcome of comparing one gradient with its reference.

    atol     the largest that was applied: it is in proportion to the entry's own rounding
    points   rows, or points, that were compared
    vacuous  how many of them prove nothing: a gradient of zeros would agree there as well
    subject  whose derivative it is: this program's, or one that was given
    about    a line that says so where it is this program's, and where it was checked
    file     where the gradient stands: the file, or the source of the function and its line
    seed     of its points, if it is not that of the report
    """

    name: str
    verdict: Verdict
    method: str
    step: float | None
    dtype: str
    rtol: float
    atol: float
    entries: int
    over_tolerance: int
    non_finite: int
    max_abs_error: float
    max_rel_error: float
    worst: list[Entry]
    diagnosis: str | None
    reproduce: str
    points: int = 1
    vacuous: int = 0
    subject: Subject | None = None
    about: str | None = None
    file: str | None = None
    line: int | None = None
    seed: int | None = None

    @property
    def summary(self) -> str:
        """What was found, in a line."""
        if self.verdict == "pass":
            found = f"{self.entries} entries agree"
        elif self.verdict == "vacuous":
            found = "the derivative is zero to within rounding; a wrong one would agree as well"
        else:
            found = f"{self.over_tolerance} of {self.entries} entries over tolerance"
            if self.non_finite:
                found += f", {self.non_finite} not finite"
        if not self.entries:
            found = "no entry was compared"
        if self.vacuous and self.verdict != "vacuous":
            found += f"; {self.vacuous} of {self.points} points prove nothing"
        return f"{self.verdict}, {found}"

    @property
    def headline(self) -> str:
        """What was found and what it looks like, in a line."""
        return f"{self.summary}; it looks like {self.diagnosis}" if self.diagnosis else self.summary

    def details(self, digits: int = DIGITS) -> list[str]:
        """Return what is known of the difference, a line each, the worst entries last."""
        lines = [] if self.diagnosis is None else [f"it looks like {self.diagnosis}"]
        return lines + [
            f"[{', '.join(map(str, entry.index))}] {entry.analytic:.{digits}g}, "
            f"reference {entry.reference:.{digits}g}, error {entry.abs_error:.2g}, "
            f"allowed {entry.allowed:.2g}"
            for entry in self.shown_entries
        ]

    @property
    def shown_entries(self) -> list[Entry]:
        """The worst entries, as far as they speak for the verdict."""
        if self.verdict not in ("fail", "inconclusive"):
            return []
        return [
            entry
            for entry in self.worst
            if not entry.abs_error <= entry.allowed or self.verdict == "inconclusive"
        ]

    @property
    def how(self) -> str:
        """How the reference was computed."""
        step = "" if self.step is None else f", step {self.step:.3g}"
        if self.step is not None and self.method != "complex":
            step += " * max(1, |x|)"
        return f"{self.method}{step}; dtype {self.dtype}"


@dataclass(frozen=True)
class Report:
    """The outcome of all checks of a run; its text is the report that a person reads."""

    seed: int
    checks: list[Check]

    @property
    def verdict(self) -> Verdict:
        """The most serious verdict of the checks; vacuous if there was none."""
        return overall([check.verdict for check in self.checks])

    @property
    def subject(self) -> Subject | Literal["mixed"] | None:
        """Whose derivatives were checked; None if none was."""
        subjects = {check.subject for check in self.checks}
        return "mixed" if len(subjects) > 1 else next(iter(subjects), None)

    @property
    def told_verdict(self) -> str:
        """The verdict; of the built-in derivatives alone it says that nothing else was checked."""
        builtin = self.subject == "built-in"
        return f"{self.verdict} (built-in derivatives)" if builtin else self.verdict

    @property
    def about(self) -> list[str]:
        """What is said first of checks that are of nothing of the user's."""
        return list(dict.fromkeys(check.about for check in self.checks if check.about))

    def as_dict(self) -> dict[str, Any]:
        """Return the report as the object that the command prints as JSON."""
        checks = [{**asdict(check), "seed": self._seed(check)} for check in self.checks]
        return {
            "command": "gradcheck",
            "verdict": self.verdict,
            "subject": self.subject,
            "seed": self.seed,
            "checks": checks,
        }

    def raise_on_failure(self) -> None:
        """Raise an AssertionError whose message is the report, unless every gradient agrees.

        What proves nothing, a verdict of inconclusive or vacuous, is no success either.
        """
        if self.verdict != "pass":
            raise AssertionError(str(self))

    def __str__(self) -> str:
        """Return the report as plain text."""
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """Return the lines of the plain text; a name may still hold the end of a line."""
        lines = [f"gradcheck: {self.told_verdict}", *self.about]
        for check in self.checks:
            lines.append(f"{check.name}: {check.summary}")
            lines += [f"  {line}" for line in check.details()]
        return [*lines, *self.settings()]

    def settings(self) -> list[str]:
        """Return the rule and how the checks were made, a line each; alike ones are told once."""
        return [
            f"rule: {RULE}",
            *self._told(
                "reference", [f"{check.how}; seed {self._seed(check)}" for check in self.checks]
            ),
            *self._tolerances(),
            *self._told("repeat", [check.reproduce for check in self.checks]),
        ]

    def _told(self, label: str, lines: list[str]) -> list[str]:
        """Return each line once; if there are several, with the names of their checks."""
        several = len(set(lines)) > 1
        return [
            f"{label}: {line}"
            + (f" ({', '.join(self._names(lines, line))})" if several and label != "repeat" else "")
            for line in dict.fromkeys(lines)
            if line
        ]

    def _names(self, lines: list[str], line: str) -> list[str]:
        return [check.name for check, own in zip(self.checks, lines, strict=True) if own == line]

    def _tolerances(self) -> list[str]:
        lines = []
        for rtol in dict.fromkeys(check.rtol for check in self.checks):
            atols = [check.atol for check in self.checks if check.rtol == rtol]
            least, most = min(atols), max(atols)
            told = f"{most:.3g}" if least == most else f"{least:.3g} to {most:.3g} by check"
            lines.append(f"tolerance: rtol {rtol:.3g}, atol {told}")
        return lines

    def _seed(self, check: Check) -> int:
        return self.seed if check.seed is None else check.seed


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the verdict over several checks: the most serious one.

    >>> overall(["pass", "vacuous", "pass"]), overall([])
    ('vacuous', 'vacuous')
    """
    order: tuple[Verdict, ...] = ("fail", "inconclusive", "vacuous", "pass")
    return next((verdict for verdict in order if verdict in verdicts), "vacuous")


def about_builtins(place: str) -> str:
    """Return the line that says that the built-in derivatives were checked, and where.

    >>> about_builtins("8 seeded points")
    'built-in derivatives, at 8 seeded points'
    """
    return f"built-in derivatives, at {place}"
