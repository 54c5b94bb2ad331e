"""`softmax-cli gradcheck`: is a gradient right? Ours, a file's, or your function's."""

from __future__ import annotations

import shlex
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from softmax_cli.commands.options.flag import CommandLine, Flag
from softmax_cli.commands.options.gradcheck import (
    CheckOptions,
    GivenOptions,
    VerdictOptions,
    check_form,
    check_subject,
    is_function,
)
from softmax_cli.commands.options.loss import LossOptions
from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.commands.options.shared import Values
from softmax_cli.errors import UsageError
from softmax_cli.formats.model.options import ReadOptions, WriteOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from softmax_cli.core.gradcheck.report import Report
    from softmax_cli.formats.model.blocks import Block
    from softmax_cli.storage.filesystem import Location

DESCRIPTION = """Without values: the built-in derivatives at random points; with values: at yours.

The values are logits, and the report says that nothing of yours was checked. A file that looks like
a gradient, by its name or because all its rows sum to 0, is an error unless --of is given; so is a
report for a build (--report, --format github or junit) that checks nothing of yours.

With --logits and --grad: a gradient file of any framework, of a loss with the options of xent, or
of the result of --of with --upstream; with --jacobian: a file of Jacobians. It is compared with the
exact gradient in float64; the tolerance is that of the file's dtype.

With --output-dir or --scheduler too: --logits is a quoted glob, and its partners are directories or
globs of files of the same names. The gradients are those of the loss of all files together; nothing
is proven about files that are skipped.

With module:function: your Python function and gradient. THIS RUNS YOUR CODE: the module is
imported, from the working directory too. The function takes a NumPy vector x and returns a number
or a vector; --grad names its gradient, or its Jacobian (outputs x inputs); without --grad the
function returns the pair (value, gradient). With more than 1024 inputs, the derivative is compared
along directions that cover all of them, and in a sample of its entries.

Entries agree if |a - n| <= atol + rtol * max(|a|, |n|); NaN and infinity never agree. Verdicts:
pass; fail; inconclusive (the reference is not accurate enough to tell); vacuous (the derivative is
zero to within rounding, where a wrong one would pass too).

Rows, indices and labels count from 0. Keep recurring checks in pyproject.toml, in tables
[[tool.softmax-cli.gradcheck]] with a name and the options as keys. Plain gradcheck in that folder
checks them, and runs the functions that they name.

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
            "[default: ./pyproject.toml, if it has any and the command line has no other check]",
            "PATH",
        ),
    ] = None,
    shards: ShardOptions,
    read: ReadOptions,
    write: VerdictOptions,
) -> int | tuple[Any, Any]:
    """Make the checks and write their report; or return it and its inputs, if a table asks."""
    from softmax_cli.commands.gradients.configuration import check_tables, tables_asked_for
    from softmax_cli.commands.gradients.report import Reporting
    from softmax_cli.formats.opening.source import input_paths

    in_table = line.passed is not None
    reporting: Reporting = line.passed or Reporting(write)
    if not in_table and (tables := tables_asked_for(line, config)):
        return reporting.send(*check_tables(line, tables, reporting))
    check_form(line, values, given, options)
    if reporting.is_for_a_build:
        check_subject(values, given, in_table=in_table)
    report = _report(values, given, options, check, shards, read, write)
    seed = [] if "seed" in line.typed else ["--seed", str(report.seed)]
    repeat = f"softmax-cli gradcheck {shlex.join([*seed, *line.arguments])}"
    report = replace(report, checks=[replace(each, reproduce=repeat) for each in report.checks])
    tokens = [
        *(values or ()),
        *(given.logits, given.upstream, given.grad, given.jacobian, *given.at),
        *(options.labels, options.targets, options.class_weights, options.sample_weights),
    ]
    inputs: list[Location] = input_paths([token for token in tokens if token])
    inputs += [Path(each.file) for each in report.checks if each.file is not None]
    return (report, inputs) if in_table else reporting.send(report, inputs)


def _report(
    values: list[str] | None,
    given: GivenOptions,
    options: LossOptions,
    check: CheckOptions,
    shards: ShardOptions,
    read: ReadOptions,
    write: WriteOptions,
) -> Report:
    if given.logits is not None:
        from softmax_cli.commands.gradients.file_check import GradientFile
        from softmax_cli.commands.inputs.loss import LossInputs

        inputs = LossInputs([given.logits], None, None, options, read, "--logits")
        gradient = GradientFile(inputs, given, check)
        if shards.are_given:
            from softmax_cli.commands.many_files.gradients import report_of_shards

            return report_of_shards(gradient, shards, write)
        return gradient.report(write)
    if shards.are_given:
        raise UsageError("goes with gradient files", "give --logits and --grad", "--output-dir")
    if read.dtype == "bfloat16":
        problem = "functions and the built-in derivatives are not computed in bfloat16"
        raise UsageError(problem, "it goes with gradient files", "--dtype")
    if values and is_function(values):
        from softmax_cli.commands.gradients.user_function import check_function

        return check_function(values[0], given.grad, given.at, check, read)
    return _builtins(values, given, options.temperature, check, read, write)


def _builtins(
    values: list[str] | None,
    given: GivenOptions,
    temperature: float,
    check: CheckOptions,
    read: ReadOptions,
    write: WriteOptions,
) -> Report:
    from softmax_cli.core.gradcheck.gradcheck import gradcheck

    at, about = None, None
    if values:
        from softmax_cli.commands.gradients.looks_like_gradient import refuse_gradients
        from softmax_cli.commands.inputs.values import opened
        from softmax_cli.formats.arrays.array import whole_array
        from softmax_cli.formats.model.blocks import from_blocks
        from softmax_cli.formats.opening.file_key import split_key
        from softmax_cli.pipeline.run import good_blocks

        with opened(values, read) as source:
            good = good_blocks(source, read.on_bad_row, write)
            blocks: Iterator[Block] = (block for block, _ in good)
            is_file = bool(source.paths) or "-" in values
            if is_file and given.of is None:
                key = split_key(values[0])[1] or read.key
                blocks = refuse_gradients(blocks, source, key)
            at = whole_array(replace(source, chunks=from_blocks(lambda: blocks), leading=None))
            if is_file:
                rows = f"{len(at)} row{'s' * (len(at) != 1)} of {source.place}, taken as logits"
                # Some may have been skipped.
                place = rows if read.on_bad_row == "skip" else f"the {rows}"
                about = f"built-in derivatives, at {place}"
    of = None if given.of == "all" else given.of
    report = gradcheck(at=at, of=of, temperature=temperature, dtype=read.dtype, **asdict(check))
    if about is None:
        return report
    return replace(report, checks=[replace(each, about=about) for each in report.checks])
