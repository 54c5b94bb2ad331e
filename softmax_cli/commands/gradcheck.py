"""`softmax-cli gradcheck`: is a gradient right? Ours, a file's, or your function's."""

from __future__ import annotations

import shlex
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from softmax_cli.commands.options.flag import CommandLine, Flag
from softmax_cli.commands.options.gradcheck import (
    Builtin,
    CheckOptions,
    GivenOptions,
    check_form,
    check_subject,
    is_function,
)
from softmax_cli.commands.options.loss import LossOptions
from softmax_cli.commands.options.report import VerdictOptions
from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.commands.options.shared import ReadOptions, Values, WriteOptions
from softmax_cli.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from softmax_cli.core.gradcheck.report import Report
    from softmax_cli.formats.model.blocks import Block

DESCRIPTION = """Without values: the built-in derivatives at seeded points; with values: at yours.

The values are logits; the report says that nothing of yours was checked. A file that is named like
a gradient, or whose rows all sum to 0 as those of a gradient do, is an error unless --of is given;
so is a report for a build (--report, --format github or junit) that checks nothing of yours.

With --logits and --grad: a gradient that any framework wrote to a file, of a loss with the options
of xent, or of the result of --of with --upstream; with --jacobian: a Jacobian. It is compared with
the exact one in float64; the tolerance is that of the file's dtype.

With --output-dir or --scheduler as well, --logits is a quoted glob, and what goes with it a
directory or a glob of files with the same names. The gradients are those of the loss of all files
together; a file that is left out proves nothing.

With module:function: your Python function and gradient. THIS RUNS YOUR CODE: the module is
imported, from this folder too. The function takes a NumPy vector x and returns a number or a
vector; --grad names its gradient, or its Jacobian (outputs x inputs); without --grad the function
returns the pair (value, gradient). Of more than 1024 inputs the derivative is compared along
directions that together move all of them, and in a sample of its entries.

A pair agrees when |a - n| <= atol + rtol * max(|a|, |n|); NaN and infinity never agree. Verdicts:
pass; fail; inconclusive (the reference is not accurate enough here to tell); vacuous (the
derivative is zero to within rounding, so that a wrong formula would pass as well).

The report is a table, or what --format names; --report writes it to files as well, whatever the
verdict. Rows, indices and labels count from 0. Checks that are made again and again stand in
pyproject.toml, as tables [[tool.softmax-cli.gradcheck]]: each has a name, and the options as keys.
Their functions are imported and run as well, by plain gradcheck beside such a file too.

Exit code: 0 all agree, 1 a gradient disagrees, 2 wrong usage or input, 3 nothing was proven."""

EXAMPLES = (
    "softmax-cli gradcheck",
    "softmax-cli gradcheck 1 2 3 --of softmax --method central",
    "softmax-cli gradcheck --logits samples/digits_logits.npy --labels samples/digits_labels.npy "
    "--grad samples/digits_gradient.npy",
    "softmax-cli gradcheck samples.logistic:loss --grad samples.logistic:gradient --at 1,-2,0.5",
    "softmax-cli gradcheck --config samples/checks.toml --format github --report gradcheck.xml",
)


def command(
    *,
    line: CommandLine,
    values: Values = None,
    given: GivenOptions,
    options: LossOptions,
    check: CheckOptions,
    config: Annotated[
        str | None,
        Flag(
            "Check every [[tool.softmax-cli.gradcheck]] table of this file.  "
            "[default: of ./pyproject.toml, if it has any and nothing else is to be checked]",
            "PATH",
        ),
    ] = None,
    shards: ShardOptions,
    read: ReadOptions,
    write: VerdictOptions,
) -> int:
    """Choose the form by what is given, compare, and report."""
    from softmax_cli.commands.gradients.config_checks import (
        Collected,
        check_tables,
        tables_asked_for,
    )
    from softmax_cli.commands.gradients.report import Reporting
    from softmax_cli.formats.opening.source import input_paths
    from softmax_cli.storage.filesystem import Location

    reporting = Reporting(write)
    collected: Collected | None = line.passed
    if collected is None and (tables := tables_asked_for(line, config)):
        for_a_build = reporting.is_for_a_build
        return reporting.send(*check_tables(line, tables, write, for_a_build=for_a_build))
    check_form(line, values, given, options)
    if collected.for_a_build if collected else reporting.is_for_a_build:
        check_subject(values, given, in_table=collected is not None)
    report = _report(values, given, options, check, shards, read, write)
    report = _repeatable(report, line.arguments)
    inputs = [
        *(values or ()),
        *(given.logits, given.upstream, given.grad, given.jacobian, *given.at),
        *(options.labels, options.targets, options.class_weights, options.sample_weights),
    ]
    code = [check.origin.file for check in report.checks if check.origin.file is not None]
    paths: list[Location] = [*input_paths([token for token in inputs if token]), *map(Path, code)]
    if collected is not None:
        collected.report, collected.inputs = report, paths
        return ExitCode.DONE
    return reporting.send(report, paths)


def _report(
    values: list[str] | None,
    given: GivenOptions,
    options: LossOptions,
    check: CheckOptions,
    shards: ShardOptions,
    read: ReadOptions,
    write: WriteOptions,
) -> Report:
    """Make the checks that were asked for."""
    if given.logits is not None:
        from softmax_cli.commands.gradients.file_check import GradientFile
        from softmax_cli.commands.inputs.loss import LossInputs

        inputs = LossInputs([given.logits], None, None, options, read, "--logits")
        form = GradientFile(inputs, given, check)
        if shards.are_given:
            from softmax_cli.commands.many_files.gradients import report_of_shards

            return report_of_shards(form, shards, write)
        return form.report(write)
    if shards.are_given:
        raise UsageError("goes with gradient files", "give --logits and --grad", "--output-dir")
    if read.dtype == "bfloat16":
        problem = "functions and the built-in derivatives are not computed in bfloat16"
        raise UsageError(problem, "it goes with gradient files", "--dtype")
    if values and is_function(values):
        from softmax_cli.commands.gradients.user_function import check_function

        return check_function(values[0], given.grad, given.at, check, read)
    of = None if given.of == "all" else given.of
    return _builtins(values, of, given.of is not None, options.temperature, check, read, write)


def _builtins(
    values: list[str] | None,
    of: Builtin | None,
    is_named: bool,
    temperature: float,
    check: CheckOptions,
    read: ReadOptions,
    write: WriteOptions,
) -> Report:
    from softmax_cli.core.gradcheck.gradcheck import gradcheck
    from softmax_cli.core.gradcheck.report import Origin, about_builtins

    at, place = None, None
    if values:
        from softmax_cli.commands.gradients.looks_like_gradient import refuse_gradients, told_rows
        from softmax_cli.commands.inputs.values import opened
        from softmax_cli.formats.arrays.array import whole_array
        from softmax_cli.formats.model.blocks import from_blocks
        from softmax_cli.pipeline.run import good_blocks

        with opened(values, read) as source:
            blocks = good_blocks(source, read.on_bad_row, write)
            good: Iterator[Block] = (block for block, _ in blocks)
            is_file = bool(source.paths) or "-" in values
            if is_file and not is_named:
                good = refuse_gradients(good, source, read.key)
            at = whole_array(replace(source, chunks=from_blocks(lambda: good), leading=None))
            if is_file:
                place = told_rows(len(at), source, some=read.on_bad_row == "skip")
    report = gradcheck(at=at, of=of, temperature=temperature, dtype=read.dtype, **asdict(check))
    if place is None:
        return report
    origin = Origin("built-in", about_builtins(place))
    return replace(report, checks=[replace(check, origin=origin) for check in report.checks])


def _repeatable(report: Report, arguments: list[str]) -> Report:
    """Return the report with the command that repeats each check."""
    seeded = any(typed.split("=")[0] == "--seed" for typed in arguments)
    typed = [*([] if seeded else ["--seed", str(report.seed)]), *arguments]
    line = f"softmax-cli gradcheck {shlex.join(typed)}"
    return replace(report, checks=[replace(check, reproduce=line) for check in report.checks])
