"""`softmax-cli gradcheck`: is a gradient right? Ours, a file's, or your function's."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from softmax_cli.commands.loss_options import Reduction
from softmax_cli.commands.options import Base, ReadOptions, Temperature, Values, WriteOptions
from softmax_cli.commands.verdict_options import VerdictOptions
from softmax_cli.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from softmax_cli.core.report import Report

Of = Literal["softmax", "log-softmax", "xent"]
Method = Literal["central", "complex", "richardson"]

DESCRIPTION = """Without values: the built-in derivatives at seeded points; with values: at yours.

With --logits and --grad: a gradient that any framework wrote to a file, compared with the exact
gradient in float64. With module:function: your Python function and gradient; this imports the
module, from this folder too, and runs its code. The function takes a NumPy vector x and returns a
number or a vector; --grad names its gradient, or its Jacobian (outputs x inputs); without --grad
the function returns the pair (value, gradient).

A pair agrees when |a - n| <= atol + rtol * max(|a|, |n|); NaN and infinity never agree. Verdicts:
pass; fail; inconclusive (the reference is not accurate enough here to tell); vacuous (the
derivative is zero to within rounding, so that a wrong formula would pass as well).

The report is a table, or what --format names; --report writes it to files as well, whatever the
verdict. Rows, indices and labels count from 0. Checks that are made again and again stand in
pyproject.toml, as tables [[tool.softmax-cli.gradcheck]]: each has a name, and the options as keys.

Exit code: 0 all agree, 1 a gradient disagrees, 2 wrong usage or input, 3 nothing was proven."""

EXAMPLES = (
    "softmax-cli gradcheck",
    "softmax-cli gradcheck 1 2 3 --of softmax --method central",
    "softmax-cli gradcheck --logits samples/digits_logits.npy --labels samples/digits_labels.npy "
    "--grad samples/digits_gradient.npy",
    "softmax-cli gradcheck samples.logistic:loss --grad samples.logistic:gradient --at 1,-2,0.5",
    "softmax-cli gradcheck --format github --report gradcheck.xml",
)


def command(
    context: typer.Context,
    values: Values = None,
    of: Annotated[
        Of | None, typer.Option("--of", help="Which built-in derivatives.  [default: all]")
    ] = None,
    logits: Annotated[
        str | None, typer.Option("--logits", metavar="Z", help="The logits of a gradient file.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option("--labels", metavar="L", help="Its labels, as in xent.")
    ] = None,
    targets: Annotated[
        str | None, typer.Option("--targets", metavar="Y", help="Its targets, as in xent.")
    ] = None,
    upstream: Annotated[
        str | None,
        typer.Option(
            "--upstream", metavar="V", help="The gradient for the result of --of, not for a loss."
        ),
    ] = None,
    grad: Annotated[
        str | None,
        typer.Option("--grad", metavar="G", help="The gradient: a file, or module:gradient."),
    ] = None,
    jacobian: Annotated[
        str | None, typer.Option("--jacobian", metavar="J", help="The Jacobian of --of: a file.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="X", help="Where to check module:function: rows or a file."),
    ] = None,
    temperature: Temperature = 1.0,
    reduction: Annotated[
        Reduction, typer.Option("--reduction", help="How the losses were put together.")
    ] = "mean",
    base: Base = "e",
    method: Annotated[
        Method | None,
        typer.Option(
            "--method",
            help="How the reference is computed.  [default: complex for built-ins, else central]",
        ),
    ] = None,
    step: Annotated[
        float | None,
        typer.Option("--step", metavar="H", help="Step of the reference, relative to max(1, |x|)."),
    ] = None,
    rtol: Annotated[
        float | None,
        typer.Option("--rtol", help="Relative tolerance.  [default: from the dtype]"),
    ] = None,
    atol: Annotated[
        float | None,
        typer.Option("--atol", help="Absolute tolerance.  [default: from dtype and scale]"),
    ] = None,
    points: Annotated[
        int, typer.Option("--points", metavar="N", min=1, help="How many seeded points.")
    ] = 8,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of points and vectors.")] = 0,
    worst: Annotated[
        int, typer.Option("--worst", metavar="K", min=0, help="Worst entries to show.")
    ] = 3,
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            metavar="PATH",
            help="Check every [[tool.softmax-cli.gradcheck]] table of this file.  "
            "[default: of ./pyproject.toml, if it has any and nothing else is to be checked]",
        ),
    ] = None,
    read: ReadOptions = ReadOptions(),
    write: VerdictOptions = VerdictOptions(),
) -> int:
    """Choose the form by what is given, compare, and report."""
    from softmax_cli.commands.gradcheck_config import Collected, check_tables, tables_asked_for
    from softmax_cli.commands.parser import ARGUMENTS
    from softmax_cli.commands.verdict import Reporting
    from softmax_cli.formats import input_paths

    reporting = Reporting(write)
    collected: Collected | None = context.obj
    if collected is None and (tables := tables_asked_for(context, config)):
        return reporting.send(*check_tables(context, tables, write))
    _check_form(context, values, grad, jacobian, at)
    if logits is not None:
        from softmax_cli.commands.gradient_files import GradientFile, check_gradient_file

        form = GradientFile(
            logits=logits,
            labels=labels,
            targets=targets,
            upstream=upstream,
            gradient=grad,
            jacobian=jacobian,
            of=of,
            temperature=temperature,
            reduction=reduction,
            base=base,
        )
        report = check_gradient_file(form, rtol, atol, worst, seed, read, write)
    elif values and _is_function(values):
        from softmax_cli.commands.user_functions import check_function

        report = check_function(
            values[0], grad, at or "", method, step, rtol, atol, seed, worst, read
        )
    else:
        report = _check_builtins(
            values, of, temperature, method, step, rtol, atol, points, seed, worst, read, write
        )
    report = _repeatable(report, context.meta[ARGUMENTS])
    inputs = [*(values or ()), logits, labels, targets, upstream, grad, jacobian, at]
    paths = input_paths([token for token in inputs if token])
    if collected is not None:
        collected.report, collected.inputs = report, paths
        return ExitCode.DONE
    return reporting.send(report, paths)


# Which options belong to which form; what is in none of them belongs to all.
FORMS = {
    "--logits": {
        *("logits", "labels", "targets", "upstream", "grad", "jacobian"),
        *("of", "temperature", "reduction", "base"),
    },
    "module:function": {"grad", "at", "method", "step"},
    "the built-in derivatives": {"of", "temperature", "method", "step", "points"},
}


def _check_form(
    context: typer.Context,
    values: list[str] | None,
    grad: str | None,
    jacobian: str | None,
    at: str | None,
) -> None:
    """Refuse options that do not make up one of the command's forms."""
    functions = [value for value in values or () if _is_function([value])]
    if functions and functions != values:
        raise UsageError("takes no values beside it", "write --at 1,2,3 with commas", functions[0])
    if functions and at is None:
        raise UsageError("no point to check at", "give --at 1,2,3 or a file", functions[0])
    given = [
        name
        for name in sorted(set().union(*FORMS.values()))
        if context.get_parameter_source(name).name == "COMMANDLINE"  # type: ignore[union-attr]
    ]
    if "logits" in given:
        form = "--logits"
    elif values and _is_function(values):
        form = "module:function"
    else:
        form = "the built-in derivatives"
    for name in given:
        if name not in FORMS[form]:
            forms = [other for other in FORMS if name in FORMS[other]]
            raise UsageError(
                f"does not go with {form}", f"it goes with {' and '.join(forms)}", f"--{name}"
            )
    if values and "points" in given:
        raise UsageError("your points are checked, none is drawn", "leave it out", "--points")
    if form != "--logits":
        return
    if values:
        raise UsageError("takes no values beside it", "leave them out", "--logits")
    if (grad is None) == (jacobian is None):
        raise UsageError("nothing to check", "give one of --grad and --jacobian", "--logits")
    partners = [name for name in ("labels", "targets", "upstream") if name in given]
    if len(partners) != (jacobian is None):
        remedy = "give one of --labels, --targets and --upstream"
        if jacobian is not None:
            remedy = "a Jacobian takes neither labels, targets nor upstream"
        raise UsageError("a gradient of what?", remedy, "--grad" if grad else "--jacobian")
    of = context.params["of"]
    if "labels" in partners or "targets" in partners:
        if of not in (None, "xent"):
            raise UsageError("labels and targets make a loss", "leave it out", "--of")
    elif of not in ("softmax", "log-softmax"):
        option = "--jacobian" if jacobian is not None else "--upstream"
        raise UsageError("of which function?", "add --of softmax or --of log-softmax", option)


def _is_function(values: list[str]) -> bool:
    """Tell whether the values are one module:function."""
    module, _, name = values[0].partition(":")
    return (
        len(values) == 1
        and name.isidentifier()
        and all(part.isidentifier() for part in module.split("."))
    )


def _check_builtins(
    values: list[str] | None,
    of: Of | None,
    temperature: float,
    method: Method | None,
    step: float | None,
    rtol: float | None,
    atol: float | None,
    points: int,
    seed: int,
    worst: int,
    read: ReadOptions,
    write: WriteOptions,
) -> Report:
    from softmax_cli.core.gradcheck import gradcheck

    if read.dtype == "bfloat16":
        problem = "the built-in derivatives are not computed in bfloat16"
        raise UsageError(problem, "it goes with gradient files", "--dtype")
    at = None
    if values:
        from softmax_cli.commands.inputs import opened
        from softmax_cli.formats.array import whole_array
        from softmax_cli.formats.blocks import ready
        from softmax_cli.pipeline import good_blocks

        with opened("gradcheck", values, read) as source:
            good = (block for block, _ in good_blocks(source, read.on_bad_row, write))
            at = whole_array(replace(source, portions=ready(lambda: good), leading=None))
    return gradcheck(
        at=at,
        of=of,
        temperature=temperature,
        method=method,
        step=step,
        rtol=rtol,
        atol=atol,
        dtype=read.dtype or "float64",
        points=points,
        seed=seed,
        worst=worst,
    )


def _repeatable(report: Report, arguments: list[str]) -> Report:
    """Return the report with the command that repeats each check."""
    seeded = any(typed.split("=")[0] == "--seed" for typed in arguments)
    typed = [*([] if seeded else ["--seed", str(report.seed)]), *arguments]
    line = f"softmax-cli gradcheck {shlex.join(typed)}"
    return replace(report, checks=[replace(check, reproduce=line) for check in report.checks])
