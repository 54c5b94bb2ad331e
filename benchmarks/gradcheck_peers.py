"""Counts what gradient checkers find: ours, and those of PyTorch, SciPy and HIPS autograd.

    pip install '.[benchmarks]' torch autograd
    python -m benchmarks.gradcheck_peers

Each judges the gradients of tests/mutants, of which it is known whether they are right. A wrong
one counts as found, and a right one as passed, if it is judged so with every seed. All have their
defaults:

    softmax-cli  wrong is `fail`; right is `pass`, or `vacuous` where the derivative is zero to
                 within rounding
    torch        torch.autograd.gradcheck of float64 inputs; wrong is GradcheckError
    scipy        scipy.optimize.check_grad, of functions that return a number; it leaves the
                 threshold to its user: right is an error <= 1e-6 max(1, |gradient|)
    autograd     autograd.test_util.check_grads, order 1, reverse mode; wrong is AssertionError

The peers are given NumPy functions with the gradient that is to be judged. Of a gradient file they
are given the loss of the flattened logits, and the file's gradient. What is right at each of
several points is right. A gradient by more inputs than MOST_INPUTS is not given to them: they would
evaluate its function for hours.

The files are judged by us with the options that say what they are the gradient of, and so with an
exact reference and a tolerance for their type. The peers are told neither: no difference sees what
is wrong with an entry of 1e-12, and a right gradient in float16 is no right one in float64.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Table
from tests.mutants.cases import SEEDS, Array, Case, Problem
from tests.mutants.checked import verdict
from tests.mutants.table import CASES

MOST_INPUTS = 5000
_SCIPY_THRESHOLD = 1e-6

# Takes a problem at one of its points, and tells whether the gradient is right.
Judge = Callable[[Problem, Array], bool]


class NotApplicableError(Exception):
    """The checker does not take this kind of problem."""


@dataclass
class Score:
    """What a checker said of all cases.

    reasons  why it could not take a case, and how many cases that were
    """

    found: dict[bool, list[str]] = field(default_factory=lambda: {False: [], True: []})
    missed: dict[bool, list[str]] = field(default_factory=lambda: {False: [], True: []})
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, case: Case, judged: Callable[[Case, int], bool]) -> None:
        """Count a case, that is judged seed by seed."""
        try:
            well = all(judged(case, seed) for seed in SEEDS)
        except NotApplicableError as reason:
            self.reasons[str(reason)] += 1
        except Exception as error:
            self.reasons[f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"] += 1
        else:
            (self.found if well else self.missed)[case.right].append(case.name)

    def cells(self) -> list[str]:
        """Return how many wrong ones were found, right ones passed, and how many are left."""
        counts = [
            f"{len(self.found[right])} of {len(self.found[right]) + len(self.missed[right])}"
            for right in (False, True)
        ]
        return [*counts, str(self.reasons.total())]


def _torch() -> Judge:
    torch: Any = import_module("torch")
    wrong = import_module("torch.autograd.gradcheck").GradcheckError

    def judge(problem: Problem, point: Array) -> bool:
        derivative = torch.tensor(_derivative(problem, point))

        def forward(_: object, x: Any) -> Any:
            return torch.tensor(_value(problem, x.detach().numpy()), dtype=torch.float64)

        def backward(_: object, upstream: Any) -> Any:
            return upstream * derivative if problem.is_scalar else upstream @ derivative

        given: Any = type(
            "Given",
            (torch.autograd.Function,),
            {"forward": staticmethod(forward), "backward": staticmethod(backward)},
        )
        x = torch.tensor(point, dtype=torch.float64, requires_grad=True)
        try:
            torch.autograd.gradcheck(given.apply, (x,))
        except wrong:
            return False
        return True

    return judge


def _scipy() -> Judge:
    check_grad: Any = import_module("scipy.optimize").check_grad

    def judge(problem: Problem, point: Array) -> bool:
        if not problem.is_scalar:
            raise NotApplicableError("it takes functions that return a number")
        derivative = _derivative(problem, point)
        error = check_grad(lambda x: float(_value(problem, x)), lambda _: derivative, point)
        allowed = _SCIPY_THRESHOLD * max(1.0, float(np.linalg.norm(derivative)))
        return bool(np.isfinite(error) and error <= allowed)

    return judge


def _autograd() -> Judge:
    extend: Any = import_module("autograd.extend")
    check_grads: Any = import_module("autograd.test_util").check_grads

    def judge(problem: Problem, point: Array) -> bool:
        def value(x: Array) -> Any:
            result = _value(problem, x)
            return float(result) if problem.is_scalar else result

        derivative = _derivative(problem, point)
        given = extend.primitive(value)
        # `dot` is the product of a number as well.
        extend.defvjp(given, lambda _, __: lambda upstream: np.dot(upstream, derivative))
        # It draws the direction of its difference from here.
        np.random.seed(0)
        try:
            check_grads(given, modes=["rev"], order=1)(point.copy())
        except AssertionError:
            return False
        return True

    return judge


PEERS: dict[str, Callable[[], Judge]] = {"torch": _torch, "scipy": _scipy, "autograd": _autograd}


def _value(problem: Problem, x: Array) -> Array:
    return np.asarray(problem.function(np.array(x, dtype=np.float64)), dtype=np.float64)


def _derivative(problem: Problem, point: Array) -> Array:
    return np.array(problem.judged(point.copy()), dtype=np.float64)


def _well_judged(judge: Judge) -> Callable[[Case, int], bool]:
    def judged(case: Case, seed: int) -> bool:
        problem = case.problem(seed)
        if problem.points.shape[1] > MOST_INPUTS:
            raise NotApplicableError(f"more than {MOST_INPUTS} inputs")
        return case.right is all(judge(problem, point) for point in problem.points)

    return judged


def _well_judged_by_us(folder: Path) -> Callable[[Case, int], bool]:
    return lambda case, seed: verdict(case.problem(seed), folder) in case.verdicts


def _score(cases: Sequence[Case], judged: Callable[[Case, int], bool]) -> Score:
    score = Score()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for case in cases:
            score.add(case, judged)
    return score


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, and return the exit code."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.gradcheck_peers", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="cases with this in the name")
    parser.add_argument("--missed", action="store_true", help="name what was judged wrongly")
    options = parser.parse_args(arguments)
    cases = [case for case in CASES if options.only in case.name]
    if not cases:
        print(f"no case is like {options.only}", file=sys.stderr)
        return 2
    rights = Counter(case.right for case in cases)
    print(f"{rights[False]} wrong and {rights[True]} right gradients, {len(SEEDS)} seeds of each")
    headings = ["checker", "wrong ones found", "right ones passed", "not applicable"]
    table = Table(headings, ["softmax-cli", *PEERS], markdown=True)
    scores = {}
    with tempfile.TemporaryDirectory() as folder:
        scores["softmax-cli"] = _score(cases, _well_judged_by_us(Path(folder)))
        table.add(["softmax-cli", *scores["softmax-cli"].cells()])
    missing = [name for name in PEERS if not find_spec(name)]
    for name in PEERS:
        if name not in missing:
            scores[name] = _score(cases, _well_judged(PEERS[name]()))
            table.add([name, *scores[name].cells()])
    print()
    for line in _remarks(scores, missing, named=options.missed):
        print(line)
    return 0


def _remarks(scores: dict[str, Score], missing: Sequence[str], *, named: bool) -> list[str]:
    lines = [f"{name} is not installed" for name in missing]
    for checker, score in scores.items():
        for reason, count in score.reasons.most_common():
            lines.append(f"{checker}: not applicable to {count}: {reason}")
        for right, names in score.missed.items():
            said = "a right one that did not pass" if right else "a wrong one that was not found"
            lines += [f"{checker}: {said}: {name}" for name in names if named]
    return lines


if __name__ == "__main__":
    sys.exit(main())
