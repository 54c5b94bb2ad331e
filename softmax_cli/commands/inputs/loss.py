"""Opens the inputs of a loss: values, with labels or targets and sample weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from softmax_cli.commands.inputs.values import (
    in_order_of,
    opened,
    opened_option,
    opened_partner,
    read_class_weights,
    with_header_of,
    without_missing,
)
from softmax_cli.commands.options.loss import LossOptions
from softmax_cli.core.exact.arrays import checked_temperature
from softmax_cli.core.loss.reduction import ReducedLoss
from softmax_cli.core.loss.weights import Weights
from softmax_cli.errors import ShapeError, UsageError
from softmax_cli.formats.columns.layout import missing_texts
from softmax_cli.formats.model.blocks import RowRange, Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions, WriteOptions
from softmax_cli.losses.class_labels import Names, class_number
from softmax_cli.losses.labels import open_labels, open_weights
from softmax_cli.losses.loss_rows import CountedRows, Form, LossSettings
from softmax_cli.losses.running_loss import every_row_is_ignored
from softmax_cli.pipeline.pairing import RowReader, blocks_in_order, zip_rows
from softmax_cli.pipeline.run import each_block
from softmax_cli.storage.filesystem import path_of

if TYPE_CHECKING:
    from fractions import Fraction


@dataclass(frozen=True)
class LossInputs:
    """What was typed: values with labels or targets, or two distributions p and q.

    place  how errors name typed values
    rows   which of the rows are meant, if not all
    """

    values: list[str] | None
    p: str | None
    q: str | None
    options: LossOptions
    read: ReadOptions
    place: str = "arguments"
    rows: RowRange | None = None

    def at(self, temperature: float) -> LossInputs:
        """Return the same at another temperature."""
        return replace(self, options=replace(self.options, temperature=temperature))

    @property
    def form(self) -> Form:
        """Which of the command's forms it is."""
        if self.p is not None:
            return "distributions"
        return "labels" if self.options.targets is None else "targets"

    @property
    def _tokens(self) -> list[str | None]:
        """All that was given to be read."""
        options, typed = self.options, self.values or ([] if self.p is not None else ["-"])
        weights = [options.class_weights, options.sample_weights]
        return [*typed, self.p, self.q, options.labels, options.targets, *weights]

    def opened(self, stack: ExitStack) -> tuple[Source, LossSettings]:
        """Open all inputs; return their rows paired, and the settings of the loss."""
        options, read = self.options, self.read
        if self._tokens.count("-") > 1:
            raise UsageError("is given twice, and read once", "name a file", "standard input")
        if self.q is not None:
            q = opened_option(self.q, "--q", read, ColumnRequest(distributions=True, role="q"))
            source = stack.enter_context(q)
        else:
            distributions = options.from_ == "probabilities"
            request = ColumnRequest(
                options.label_column, distributions=distributions, role="values"
            )
            others = [token for token in self._tokens if token is not None]
            values = opened(self.values, read, request, self.place, others)
            source = stack.enter_context(values)
        source = source.slice_rows(self.rows)
        settings, weights_paths = self._settings(source)
        names = self._names(source)
        if options.label_column is not None:
            source = names.of_column(source)
        else:
            partner = stack.enter_context(self._partner(source, names))
            settings = replace(settings, partner_dtypes=partner.dtypes)
            what = "p" if settings.form == "distributions" else settings.form
            source = zip_rows(source, partner, what=what)
        if options.sample_weights is not None:
            weights = stack.enter_context(self._sample_weights(options.sample_weights))
            source = zip_rows(source, weights, what="weights")
        source = replace(source, paths=(*source.paths, *weights_paths))
        return settings.mask(names.refuse_suspects(source)), settings

    def _names(self, source: Source) -> Names:
        options = self.options
        return Names(source.class_names, tuple(options.ignore_label), missing_texts(self.read))

    def _partner(self, source: Source, names: Names) -> Source:
        """Open the labels or targets of the values, or p."""
        options = self.options
        if options.labels is not None:
            return open_labels(options.labels, names, with_header_of("labels", self.read))
        if self.p is not None:
            return self._targets(self.p, "--p", source)
        if options.targets is not None:
            return self._targets(options.targets, "--targets", source)
        raise UsageError("no labels", "give --labels, --label-column or --targets", "xent")

    def _sample_weights(self, token: str) -> Source:
        read, may_be_missing = with_header_of("weights", self.read), bool(self.options.ignore_label)
        return open_weights(token, read, may_be_missing=may_be_missing)

    def divisor(
        self, source: Source, settings: LossSettings, write: WriteOptions
    ) -> Fraction | float:
        """Return what the gradients are divided by, which a mean needs before the first row."""
        return self.divided_by(self.weighed(source, settings, write), source.place)

    def divided_by(self, reduced: ReducedLoss, place: str) -> Fraction | float:
        """Return what the gradients are divided by, from the counts of all rows."""
        if self.options.ignore_label and not reduced.used:
            raise every_row_is_ignored(place)
        # Of no rows there is nothing to divide, and an error is to come.
        return reduced.divisor(self.options.reduction) or 1.0

    def weighed(self, source: Source, settings: LossSettings, write: WriteOptions) -> ReducedLoss:
        """Return how many rows count and what they weigh, as far as the reduction needs it."""
        reduced, weights = ReducedLoss(), settings.weights
        of_labels = settings.form == "labels" and weights.of_classes is not None
        weighs = of_labels or self.options.sample_weights is not None
        all_alike = not (settings.ignores or weighs or settings.on_bad_row == "skip")
        if settings.reduction in ("sum", "none") or (all_alike and source.rows is not None):
            reduced.count(source.rows or 1)
            return reduced

        def count(rows: CountedRows) -> None:
            reduced.count(int(rows.used.sum()), weights.of_rows(rows.targets, rows.samples))

        self.count_rows(source, settings, count, write)
        return reduced

    def count_rows(
        self,
        source: Source,
        settings: LossSettings,
        count: Callable[[CountedRows], None],
        write: WriteOptions,
    ) -> None:
        """Call `count` with what the rows weigh, some rows at a time, in order.

        Labels or targets and weights are opened and read for it, and the logits only if they hold
        the labels or decide which rows are skipped. An error that the logits' rows have a part in
        is left to the reading of these.

        source, settings  as `opened` returned them
        """
        options, why = self.options, "a mean needs what the rows weigh first"
        with ExitStack() as stack:
            if options.label_column is not None or self.read.on_bad_row == "skip":
                self.check_read_again("--grad", why)
                again, settings = self.opened(stack)
                each_block(again, settings.rows, count, self.read.on_bad_row, write)
                return
            read = [options.labels, options.targets, options.sample_weights]
            self.check_read_again("--grad", why, read)
            partner = stack.enter_context(self._partner(source, self._names(source)))
            weights = None
            if options.sample_weights is not None:
                opened_weights = stack.enter_context(self._sample_weights(options.sample_weights))
                weights = RowReader(opened_weights.slice_rows(source.within))
            for block in blocks_in_order(partner.slice_rows(source.within)):
                samples = None if weights is None else weights.up_to(len(block.values))
                if weights is not None and (samples is None or len(samples) < len(block.values)):
                    return
                count(settings.counted(block, samples))

    @property
    def are_read_once(self) -> bool:
        """Whether one of the inputs is a pipe."""
        return any(map(is_read_once, self._tokens))

    def check_read_again(
        self, option: str, why: str, tokens: Sequence[str | None] | None = None
    ) -> None:
        """Refuse a pipe among the inputs, or these of them, which an option reads repeatedly."""
        tokens = self._tokens if tokens is None else tokens
        if any(map(is_read_once, tokens)):
            what = "standard input" if "-" in tokens else "a pipe"
            remedy = "name a file" + (", or add --reduction sum" if option == "--grad" else "")
            raise UsageError(f"{why}, and {what} is read once", remedy, option)

    def _settings(self, source: Source) -> tuple[LossSettings, tuple[Path | str, ...]]:
        """Return what the rows hold, and the files that were read for it."""
        options, form = self.options, self.form
        names, classes = source.class_names, source.classes
        masked = tuple(
            class_number(token, names, classes, "--mask-class") for token in options.mask_class
        )
        of_classes: list[float] | None = None
        paths: tuple[Path | str, ...] = ()
        if options.class_weights is not None:
            of_classes, paths = read_class_weights(options.class_weights, source, self.read)
        weights = Weights.of(of_classes, options.label_smoothing, masked).over(classes)
        tokens = options.ignore_label if form != "labels" else []
        numbers = [Names(names).number(token, "--ignore-label") for token in tokens]
        ignored = tuple(int(number) for number in numbers if number is not None)
        partner = self.p or options.targets or ""
        settings = LossSettings(
            form=form,
            kind="probabilities" if form == "distributions" else options.from_,
            normalize=options.normalize,
            partner=_named(partner, "--p" if form == "distributions" else "--targets"),
            weights=weights,
            temperature=checked_temperature(options.temperature),
            reduction=options.reduction,
            base=options.base,
            on_bad_row=self.read.on_bad_row,
            ignores=bool(options.ignore_label),
            ignored=ignored,
            dtypes=source.dtypes,
        )
        return settings, paths

    def _targets(self, token: str, option: str, source: Source) -> Source:
        """Open targets, one column a class in the order of the values; names decide it."""
        request = ColumnRequest(distributions=True, role=option.strip("-"))
        other = without_missing(
            opened_partner(token, option, self.read, source.classes, request), self.read
        )
        try:
            if other.classes != source.classes:
                remedy = (
                    "write 1,0,0 with commas" if other.classes == 1 else "they go class by class"
                )
                problem = f"{other.classes} classes, and {source.place} has {source.classes}"
                raise ShapeError(problem, remedy, option)
            return in_order_of(source, other, option)
        except BaseException:
            other.close()
            raise


def is_read_once(token: str | None) -> bool:
    """Return true if a token is standard input, or another pipe."""
    return token is not None and (
        token == "-" or (path_of(token).exists() and not path_of(token).is_file())
    )


def _named(token: str, option: str) -> str:
    """Return how errors name the rows of an option: by its file, or by the option itself."""
    return token if path_of(token).is_file() else option
