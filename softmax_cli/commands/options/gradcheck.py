"""The forms of gradcheck: their options, and which of these go together."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import partial
from typing import Annotated, Literal

from softmax_cli.commands.options.flag import CommandLine, Flag
from softmax_cli.commands.options.loss import LossOptions
from softmax_cli.errors import UsageError

Builtin = Literal["softmax", "log-softmax", "xent"]
Of = Literal[Builtin, "all"]

_given = partial(Flag, panel="What is checked")
_check = partial(Flag, panel="How it is checked")


@dataclass(frozen=True)
class GivenOptions:
    """What is checked: a gradient file and what it is of, or a function and where."""

    of: Annotated[
        Of | None,
        _given(
            "Which built-in derivatives, or what a gradient file is of. It says as well that "
            "the values are logits, whatever they look like.  [default: all]"
        ),
    ] = None
    logits: Annotated[str | None, _given("The logits of a gradient file.", "Z")] = None
    upstream: Annotated[
        str | None,
        _given(
            "The gradient with respect to the result of --of, which the file carries back to the "
            "logits.",
            "V",
        ),
    ] = None
    grad: Annotated[str | None, _given("The gradient: a file, or module:gradient.", "G")] = None
    jacobian: Annotated[str | None, _given("The Jacobian of --of: a file.", "J")] = None
    at: Annotated[
        list[str],
        _given(
            "Where to check module:function: a point 1,2,3, or a file of one a row. Repeatable.",
            "X",
        ),
    ] = field(default_factory=list)


@dataclass(frozen=True)
class CheckOptions:
    """How a check is made."""

    method: Annotated[
        Literal["central", "complex", "richardson"] | None,
        _check("How the reference is computed.  [default: complex for built-ins, else central]"),
    ] = None
    step: Annotated[
        float | None, _check("Step of the reference, relative to max(1, |x|).", "H")
    ] = None
    rtol: Annotated[float | None, _check("Relative tolerance.  [default: from the dtype]")] = None
    atol: Annotated[
        float | None, _check("Absolute tolerance.  [default: from dtype and scale]")
    ] = None
    points: Annotated[
        int | None,
        _check(
            "How many points are drawn: for the built-ins, or around those of --at and "
            "beside them.  [default: 8 for the built-ins, else none]",
            "N",
            min=1,
        ),
    ] = None
    seed: Annotated[int, _check("Of points, vectors and directions.", min=0)] = 0
    worst: Annotated[int, _check("Worst entries to show.", "K", min=0)] = 3


_LOSS = {field.name for field in fields(LossOptions)}
# Which options belong to which form; what is in none of them belongs to all.
FORMS = {
    "--logits": {"logits", "upstream", "grad", "jacobian", "of"} | _LOSS,
    "module:function": {"grad", "at", "method", "step", "points"},
    "the built-in derivatives": {"of", "temperature", "method", "step", "points"},
}
PARTNERS = ("labels", "label_column", "targets", "upstream")


def check_form(
    line: CommandLine, values: list[str] | None, given: GivenOptions, options: LossOptions
) -> None:
    """Refuse options that do not make up one of the command's forms."""
    for value in values or ():
        if ":" in value and given.at and not is_function([value]):
            raise UsageError("is no module:function", "write package.module:name", value)
    functions = [value for value in values or () if is_function([value])]
    if functions and functions != values:
        raise UsageError("takes no values beside it", "write --at 1,2,3 with commas", functions[0])
    if functions and not given.at:
        raise UsageError("no point to check at", "give --at 1,2,3 or a file", functions[0])
    typed = [name for name in sorted(set().union(*FORMS.values())) if name in line.typed]
    if "logits" in typed:
        form = "--logits"
    elif values and is_function(values):
        form = "module:function"
    else:
        form = "the built-in derivatives"
    for name in typed:
        if name not in FORMS[form]:
            forms = [other for other in FORMS if name in FORMS[other]]
            problem, remedy = f"does not go with {form}", f"it goes with {' and '.join(forms)}"
            raise UsageError(problem, remedy, _option(name))
    if values and "points" in typed and form == "the built-in derivatives":
        raise UsageError("your points are checked, none is drawn", "leave it out", "--points")
    if form == "--logits":
        _check_gradient_file(values, typed, given, options)


def check_subject(values: list[str] | None, given: GivenOptions, *, in_table: bool) -> None:
    """Refuse a report for a build that checks nothing of the user's: it would always be green."""
    if given.of is not None or given.logits is not None or (values and is_function(values)):
        return
    forms = "--logits Z --labels L --grad G, module:function, --config PATH"
    builtins = "--of all"
    if in_table:
        forms, builtins = "function, or logits, labels and grad", 'of = "all"'
    raise UsageError(
        "checks nothing of yours, and a report of it would always pass",
        f"give {forms}, or {builtins} to check the built-in derivatives",
        "" if in_table else "gradcheck",
    )


def is_function(values: list[str]) -> bool:
    """Tell whether the values are one module:function."""
    module, _, name = values[0].partition(":")
    return (
        len(values) == 1
        and name.isidentifier()
        and all(part.isidentifier() for part in module.split("."))
    )


def _check_gradient_file(
    values: list[str] | None, typed: list[str], given: GivenOptions, options: LossOptions
) -> None:
    if values:
        raise UsageError("takes no values beside it", "leave them out", "--logits")
    if given.grad is None and given.jacobian is None:
        raise UsageError("nothing to check", "give one of --grad and --jacobian", "--logits")
    if given.grad is not None and given.jacobian is not None:
        raise UsageError("goes without --grad", "give one of them", "--jacobian")
    partners = [name for name in PARTNERS if name in typed]
    if len(partners) != (given.jacobian is None):
        remedy = "give one of --labels, --label-column, --targets and --upstream"
        if given.jacobian is not None:
            remedy = "a Jacobian takes neither labels, targets nor upstream"
        raise UsageError("a gradient of what?", remedy, "--grad" if given.grad else "--jacobian")
    if options.from_ != "logits":
        raise UsageError("a gradient is with respect to logits", "leave it out", "--from")
    if partners and partners[0] != "upstream":
        if given.of not in (None, "xent"):
            raise UsageError("labels and targets make a loss", "leave it out", "--of")
        return
    option = "--jacobian" if given.jacobian is not None else "--upstream"
    if given.of not in ("softmax", "log-softmax"):
        raise UsageError("of which function?", "add --of softmax or --of log-softmax", option)
    for name in typed:
        if name in _LOSS - {"temperature"}:
            raise UsageError(f"does not go with {option}", "it goes with a loss", _option(name))


def _option(name: str) -> str:
    return f"--{name.rstrip('_').replace('_', '-')}"
