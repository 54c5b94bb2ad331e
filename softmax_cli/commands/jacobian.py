"""`softmax-cli jacobian`: the derivative of softmax, or its product with a vector."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from softmax_cli.commands.options.flag import Flag
from softmax_cli.commands.options.shards import ShardOptions
from softmax_cli.commands.options.shared import Explain, Temperature, Values, explanation
from softmax_cli.errors import ShapeError, UsageError
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions, WriteOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from softmax_cli.display.parts import Step
    from softmax_cli.explain.rows import Row
    from softmax_cli.formats.model.blocks import Block, RowRange, Source
    from softmax_cli.pipeline.bad_rows import Kernel
    from softmax_cli.pipeline.run import Split

Of = Literal["softmax", "log-softmax"]

DESCRIPTION = """Of softmax: dS_i/da_j = S_i (delta_ij - S_j) / T.

Of log-softmax: d log S_i/da_j = (delta_ij - S_j) / T.

One row gives a matrix. Several rows give an array (rows, N, N) in NPY, NPZ and JSON, and in CSV
a line 'row,i,j,value' for each entry, all counted from 0. With --vjp or --jvp the product is
computed in O(N), never through the matrix."""

EXAMPLES = (
    "softmax-cli jacobian 1 2 3",
    "softmax-cli jacobian 1 2 3 --of log-softmax --temperature 0.5",
    "softmax-cli jacobian 1 2 3 --vjp 1,0,0",
    "softmax-cli jacobian 1 2 3 --explain",
    "softmax-cli jacobian samples/digits_logits.npy -o jacobians.npy",
    "softmax-cli jacobian samples/digits_logits.npy --jvp 1,0,0,0,0,0,0,0,0,0 -o products.npy",
)


@dataclass(frozen=True)
class JacobianOptions:
    """What is differentiated, and the vector that its Jacobian is multiplied by."""

    of: Annotated[Of, Flag("The function to differentiate.")] = "softmax"
    temperature: Temperature = 1.0
    vjp: Annotated[
        str | None,
        Flag(
            "v J: the gradient for the logits. A row '1,0,0', or a file with one vector for all "
            "rows or one per row.",
            "V",
        ),
    ] = None
    jvp: Annotated[
        str | None, Flag("J v: the change in the result. Takes what --vjp takes.", "V")
    ] = None

    @property
    def product(self) -> str | None:
        """The product that is asked for, if any."""
        return "vjp" if self.vjp is not None else "jvp" if self.jvp is not None else None


def command(
    *,
    values: Values = None,
    options: JacobianOptions,
    explain: Explain = False,
    shards: ShardOptions,
    read: ReadOptions,
    write: WriteOptions,
) -> int:
    """Write the Jacobian of each row, or its product with a vector, for one input or many files."""
    if options.vjp is not None and options.jvp is not None:
        raise UsageError("cannot be combined with --jvp", "give one of the two", "--vjp")
    if explain:
        write = explanation(write, shards)
    if shards.are_given:
        from softmax_cli.commands.many_files.shards import convert_files

        job, vectors = write_jacobian, ("vjp", "jvp")
        return convert_files("jacobian", job, values, options, vectors, shards, read, write)
    write_jacobian(values, options, read=read, write=write, explain=explain)
    return 0


def write_jacobian(
    values: list[str] | None,
    options: JacobianOptions,
    *,
    read: ReadOptions,
    write: WriteOptions,
    rows: RowRange | None = None,
    explain: bool = False,
) -> int:
    """Write the Jacobians or products of all rows, or of a range; return how many were read."""
    from softmax_cli.commands.inputs.binary import derivative_columns, vectors_of_two_classes
    from softmax_cli.commands.inputs.values import opened, opened_partner, without_missing
    from softmax_cli.commands.row_results import write_rows
    from softmax_cli.formats.model.sinks import Result
    from softmax_cli.formats.opening.source import refuse_lost_arrays
    from softmax_cli.pipeline.pairing import peeked, zip_rows

    product = options.product
    vector = options.vjp if product == "vjp" else options.jvp
    split = None
    if write.in_place:
        refuse_lost_arrays([*(values or []), vector], read.key, [write.output])
    with ExitStack() as stack:
        opened_values = opened(values, read, others=[vector] if vector is not None else [])
        source, single = peeked(stack.enter_context(opened_values))
        source = source.slice_rows(rows)
        is_jvp_of_one = source.column is not None and product == "jvp"
        if vector is not None:
            option = f"--{product}"
            request = ColumnRequest(flat=is_jvp_of_one)
            wanted = 1 if is_jvp_of_one else source.classes
            opened_vectors = opened_partner(vector, option, read, wanted, request)
            other = stack.enter_context(opened_vectors)
            if is_jvp_of_one:
                other = vectors_of_two_classes(other)
            if other.classes != source.classes:
                problem = f"a vector of {other.classes} entries for {source.classes} classes"
                remedy = "write 1,0,0 with commas, a number for each class"
                raise ShapeError(problem, remedy, option)
            other = without_missing(other, read)
            source = zip_rows(source, other, role="vectors", every_row=True)
            kernel = _product_kernel(source, options)
        else:
            split = _in_lines(source)
            kernel = _matrix_kernel(source, options)
        columns = {"column_names": source.class_names}
        if not is_jvp_of_one:
            columns = derivative_columns(source, product or "derivative")
            kernel = _by_column(kernel, source)
        if product is None:
            columns["class_names"] = source.class_names
        result = Result.of(
            source,
            "jacobian",
            product or "jacobian",
            **columns,
            height=source.classes,
            facts={"of": options.of, "temperature": options.temperature},
            matrix=product is None,
            single=single,
            axis=source.axis if product else -1,
            first=source.first * (1 if product else source.classes),
        )
        steps = partial(_steps, options=options) if explain else None
        return write_rows(source, result, kernel, read, write, steps, split)


def _steps(row: Row, block: Block, options: JacobianOptions) -> list[Step]:
    from softmax_cli.core.exact.arrays import wide
    from softmax_cli.explain.jacobian import jacobian_steps, product_step

    steps = jacobian_steps(row, options.of)
    if row.has_softmax and options.product is not None:
        assert block.partner is not None
        steps.append(product_step(row, options.of, options.product, wide(block.partner[0])))
    return steps


def _by_column(kernel: Kernel, source: Source) -> Kernel:
    """Return the kernel with derivatives with respect to the columns of the input."""
    if source.column is None:
        return kernel
    from softmax_cli.core.loss.two_classes import by_number

    def derivatives(block: Block) -> Block:
        result = kernel(block)
        return result.with_values(by_number(result.values))

    return derivatives


def _matrix_kernel(source: Source, options: JacobianOptions) -> Kernel:
    import numpy as np

    from softmax_cli.core.exact.arrays import checked_temperature, narrowed, unrounded
    from softmax_cli.core.softmax import jacobian

    T = checked_temperature(options.temperature)
    write_lines = {
        "softmax": jacobian.softmax_jacobian_lines,
        "log-softmax": jacobian.log_softmax_jacobian_lines,
    }[options.of]

    def kernel(block: Block) -> Block:
        assert block.lines is not None
        shape = (len(block.values), len(block.lines), source.classes)
        lines = np.empty(shape, unrounded(source.dtype))
        first, end = block.lines.start, block.lines.stop
        write_lines(block.values, first, end, temperature=T, out=lines)
        lines = narrowed(lines, source.dtype)
        return replace(
            block,
            start=block.start * source.classes + block.lines.start,
            values=lines.reshape(-1, source.classes),
            ids=block.ids and block.ids.repeated(len(block.lines)),
        )

    return kernel


def _in_lines(source: Source) -> Split:
    """Return a function that splits blocks into lines of matrices that fit a cache."""
    from softmax_cli.formats.model.blocks import rows_per_block

    N = source.classes
    # Little is computed for each number, so the overhead of a part matters more.
    lines_at_a_time = 2 * rows_per_block(N, max(4, source.dtype.itemsize))
    rows_at_a_time = max(1, lines_at_a_time // N)
    step = min(N, lines_at_a_time)

    def split(block: Block) -> Iterator[Block]:
        for first in range(0, len(block.values), rows_at_a_time):
            rows = slice(first, first + rows_at_a_time)
            for i in range(0, N, step):
                yield replace(
                    block,
                    start=block.start + first,
                    values=block.values[rows],
                    ids=block.ids and block.ids[rows],
                    lines=range(i, min(N, i + step)),
                )

    return split


def _product_kernel(source: Source, options: JacobianOptions) -> Kernel:
    import numpy as np

    from softmax_cli.core.exact.arrays import narrowed, unrounded
    from softmax_cli.core.softmax.jacobian_products import PRODUCTS, row_products

    assert options.product is not None
    product = PRODUCTS[options.of, options.product]

    def kernel(block: Block) -> Block:
        assert block.partner is not None
        logits = block.values
        result = np.empty_like(logits, unrounded(source.dtype))
        row_products(product, logits, block.partner, temperature=options.temperature, out=result)
        return block.with_values(narrowed(result, source.dtype))

    return kernel
