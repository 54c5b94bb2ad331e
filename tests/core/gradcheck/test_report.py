"""The report: its text, and what it does in a test."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from softmax_cli import gradcheck


def test_failure_raises_an_error_whose_message_is_the_report() -> None:
    report = gradcheck(lambda x: (x**2).sum(), lambda x: 4 * x, [1.0, 2.0, 3.0], name="energy")
    with pytest.raises(AssertionError) as raised:
        report.raise_on_failure()
    message = str(raised.value)
    assert message == str(report)
    for said in (
        "gradcheck: fail",
        "energy: fail, 3 of 3 entries over tolerance",
        "it looks like a factor of 2",
        "[0] 4, reference 2, error 2, allowed",
        "rule: |a - n| <= atol + rtol * max(|a|, |n|)",
        "reference: central, step 6.06e-06 * max(1, |x|); dtype float64; seed 0",
        "tolerance: rtol 1e-06",
    ):
        assert said in message


@pytest.mark.parametrize("of", ["softmax", None])
def test_check_that_proves_nothing_raises_too(of: str | None) -> None:
    if of is None:
        report = gradcheck(lambda x: np.abs(x).sum(), np.sign, [0.0])
    else:
        report = gradcheck(at=[100.0, 0.0], of="softmax")
    with pytest.raises(AssertionError, match=r"vacuous|inconclusive"):
        report.raise_on_failure()


def test_success_raises_nothing() -> None:
    gradcheck().raise_on_failure()


def test_different_settings_name_their_checks() -> None:
    one = gradcheck(np.sum, np.ones_like, [1.0], name="one")
    other = gradcheck(of="softmax", points=1)
    both = type(one)(0, [*one.checks, *other.checks])
    text = str(both)
    assert "dtype float64; seed 0 (one)\n" in text
    assert "reference: complex, step 1e-20; dtype float64; seed 0 (softmax jacobian, " in text
    assert text.count("tolerance: rtol 1e-06, atol ") == 1


def test_the_report_says_whose_derivatives_were_checked() -> None:
    ours, function = gradcheck(of="softmax"), gradcheck(np.sum, np.ones_like, [1.0])
    assert (ours.subject, function.subject) == ("built-in", "function")
    lines = str(ours).split("\n")
    assert lines[:2] == [
        "gradcheck: pass (built-in derivatives)",
        "built-in derivatives, at 8 seeded points",
    ]
    assert str(function).startswith("gradcheck: pass\n")
    assert str(gradcheck(at=[[1.0, 2.0], [3.0, 5.0]])).split("\n")[1].endswith("your 2 points")
    both = type(ours)(0, [*ours.checks, *function.checks])
    assert (both.subject, both.labelled_verdict) == ("mixed", "pass")
    assert type(ours)(0, []).subject is None


def test_a_check_has_the_fields_of_its_counts() -> None:
    (check,) = gradcheck(np.sum, np.ones_like, [1.0], rtol=1e-3).checks
    assert (check.entries, check.method, check.rtol, check.subject) == (
        1,
        "central",
        1e-3,
        "function",
    )
    counts = vars(check.counts)
    assert counts == {name: getattr(check, name) for name in counts}
    assert copy.deepcopy(check) == pickle.loads(pickle.dumps(check)) == check
    with pytest.raises(AttributeError, match="no attribute 'entry'"):
        check.entry  # noqa: B018
