"""Opens the inputs of a loss: values, with labels or targets and sample weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

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
from softmax_cli.core.loss.row_losses import Kind
from softmax_cli.core.loss.weights import Weights
from softmax_cli.errors import ShapeError, UsageError
from softmax_cli.formats.columns.missing_values import missing_texts
from softmax_cli.formats.model.blocks import RowRange, Source
from softmax_cli.formats.model.options import ColumnRequest, ReadOptions, WriteOptions
from softmax_cli.formats.opening.file_key import file_of, is_read_once
from softmax_cli.formats.text.cell_kinds import are_numbered
from softmax_cli.losses.class_labels import Names, class_number
from softmax_cli.losses.labels import open_labels, open_weights
from softmax_cli.losses.loss_rows import CountedRows
from softmax_cli.losses.running_loss import every_row_is_ignored
from softmax_cli.losses.settings import Form, LossSettings
from softmax_cli.pipeline.pairing import RowReader, blocks_in_order, zip_rows
from softmax_cli.pipeline.run import each_block
from softmax_cli.storage.filesystem import path_of

if TYPE_CHECKING:
    from fractions import Fraction


class LossInputs(NamedTuple):
    """What was typed: values with labels or targets, or two distributions p and q.

    place  how errors name typed values
    rows   which of the rows are meant, if not all
    fits   whether a temperature is fitted: logarithms of probabilities are then logits
    """

    values: list[str] | None
    p: str | None
    q: str | None
    options: LossOptions
    read: ReadOptions
    place: str = "arguments"
    rows: RowRange | None = None
    fits: bool = False

    def at(self, temperature: float) -> LossInputs:
        """Return the same at another temperature."""
        return self._replace(options=replace(self.options, temperature=temperature))

    @property
    def kind(self) -> Kind:
        """What the values are, or p and q."""
        return self.options.kind_of(are_two=self.p is not None)

    @property
    def label_column(self) -> str | None:
        """The column of the values that holds the labels."""
        return self.options.label_column if self.options.labels is None else None

    @property
    def tokens(self) -> list[str | None]:
        """All inputs, `-` for standard input."""
        options, typed = self.options, self.values or ([] if self.p is not None else ["-"])
        weights = [options.class_weights, options.sample_weights]
        return [*typed, self.p, self.q, options.labels, options.targets, *weights]

    def opened(self, stack: ExitStack) -> tuple[Source, LossSettings]:
        """Open all inputs; return their rows paired, and the settings of the loss."""
        options, read, are_distributions = self.options, self.read, self.kind == "probabilities"
        if self.tokens.count("-") > 1:
            problem = "is given twice, but can be read only once"
            raise UsageError(problem, "name a file", "standard input")
        if read.binary and self.q is not None:
            remedy = "write both classes: 0.7,0.3"
            raise UsageError("does not apply to --p and --q", remedy, "--binary")
        if read.binary and options.mask_class:
            raise UsageError("leaves only one class", "leave it out", "--mask-class")
        if options.are_entries:
            return self._entries(stack)
        if self.q is not None:
            request = ColumnRequest(distributions=are_distributions, role="q")
            source = stack.enter_context(opened_option(self.q, "--q", read, request))
        else:
            request = ColumnRequest(
                self.label_column, distributions=are_distributions, role="values"
            )
            others = [token for token in self.tokens if token is not None]
            partner_is_named = (options.targets or options.class_weights) is not None
            values = opened(
                self.values,
                read,
                request,
                self.place,
                others,
                kind=self.kind,
                partner_is_named=partner_is_named,
            )
            source = stack.enter_context(values)
        source = source.slice_rows(self.rows)
        of_classes = None
        if options.class_weights is not None:
            of_classes, paths = read_class_weights(
                options.class_weights, source, read, options.label_base
            )
            source = replace(source, paths=(*source.paths, *paths))
        settings, names = self._settings(source, of_classes), self._names(source)
        if self.label_column is not None:
            source = names.of_column(source)
        else:
            partner = self._partner(stack, source, names)
            settings = settings._replace(partner_dtypes=partner.dtypes)
            source = zip_rows(source, partner, role=settings.role)
        if options.sample_weights is not None:
            weights = stack.enter_context(self._sample_weights(options.sample_weights))
            source = zip_rows(source, weights, role="weights")
        return settings.mask(names.refuse_suspects(source)), settings

    def _entries(self, stack: ExitStack) -> tuple[Source, LossSettings]:
        """Open the log-probabilities of labels; a missing one is a row that is ignored."""
        from softmax_cli.commands.inputs.entries import opened_entries

        source = opened_entries(self.values, self.read, self.place, self.tokens)
        source = stack.enter_context(source).slice_rows(self.rows)
        settings = self._settings(source, None)._replace(form="entries", ignores=True)
        if (token := self.options.sample_weights) is not None:
            weights = stack.enter_context(self._sample_weights(token))
            source = zip_rows(source, weights, role="weights")
        return settings.mask(source), settings

    def _names(self, source: Source) -> Names:
        options = self.options
        base, names = options.label_base, source.class_names
        if base and names and are_numbered(names):
            problem = f"the classes are named 0 to {source.classes - 1}, so labels are names"
            raise UsageError(problem, "leave it out", "--label-base")
        given = names, tuple(options.ignore_label), missing_texts(self.read), base
        if source.column is None:
            return Names(*given)
        from softmax_cli.losses.binary import BinaryNames

        return BinaryNames(*given, place=options.labels or f"--label-column {options.label_column}")

    def _partner(self, stack: ExitStack, source: Source, names: Names) -> Source:
        """Open labels; or targets or p, with columns in the order of the source's names."""
        options, read = self.options, self.read
        if options.labels is not None:
            return self._labels(stack, options.labels, source, names)
        option, token = ("--p", self.p) if self.p is not None else ("--targets", options.targets)
        if token is None:
            raise UsageError("no labels", "give --labels, --label-column or --targets", "xent")
        are_distributions = self.p is None or self.kind == "probabilities"
        role, is_binary = option.strip("-"), source.column is not None
        request = ColumnRequest(distributions=are_distributions, role=role, flat=is_binary)
        wanted = 1 if is_binary else source.classes
        partner = opened_partner(token, option, read, wanted, request)
        partner = without_missing(stack.enter_context(partner), read)
        if is_binary:
            from softmax_cli.commands.inputs.binary import targets_of_two_classes

            partner = targets_of_two_classes(partner, option)
        if partner.classes != source.classes:
            problem = f"{partner.classes} classes, and {source.place} has {source.classes}"
            is_one = partner.classes == 1
            remedy = "write 1,0,0 with commas" if is_one else "give one value per class"
            raise ShapeError(problem, remedy, option)
        return in_order_of(source, partner, option)

    def _labels(self, stack: ExitStack, token: str, source: Source, names: Names) -> Source:
        """Open labels, which are one-hot if they have the columns of the values."""
        read, column = with_header_of("labels", self.read), self.options.label_column
        shape = len(source.leading or (0,)) + 1, source.classes
        one_hot = shape if source.axis == -1 else None
        labels = open_labels(token, names, read, column=column, one_hot=one_hot)
        labels = stack.enter_context(labels)
        if labels.classes == 1:
            return labels
        labels = in_order_of(source, labels, "--labels")
        return labels.map(names.of_one_hot, classes=1, class_names=None)

    def _sample_weights(self, token: str) -> Source:
        read, may_be_missing = with_header_of("weights", self.read), bool(self.options.ignore_label)
        return open_weights(token, read, may_be_missing=may_be_missing)

    def divisor(
        self, source: Source, settings: LossSettings, write: WriteOptions
    ) -> Fraction | float:
        """Return the divisor of the gradients, which a mean needs before the first row."""
        return self.divided_by(self.weighed(source, settings, write), source.place)

    def divided_by(self, reduced: ReducedLoss, place: str) -> Fraction | float:
        """Return the divisor of the gradients, from the counts of all rows."""
        if self.options.ignore_label and not reduced.used:
            raise every_row_is_ignored(place)
        # Of no rows there is nothing to divide, and an error is to come.
        return reduced.divisor(self.options.reduction) or 1.0

    def weighed(self, source: Source, settings: LossSettings, write: WriteOptions) -> ReducedLoss:
        """Return the number and weights of the rows used, as far as the reduction needs them."""
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
        """Call `count` with the weights of some rows at a time, in order.

        This reads labels or targets and weights again; and the logits only if they hold the labels
        or decide which rows are skipped. Errors that name rows of logits are left to the main read.

        source, settings  as `opened` returned them
        """
        options, why = self.options, "a mean needs the weights of all rows first"
        with ExitStack() as stack:
            if self.label_column is not None or self.read.on_bad_row == "skip":
                self.check_read_again("--grad", why)
                again, settings = self.opened(stack)
                each_block(again, settings.rows, count, self.read.on_bad_row, write)
                return
            read = [options.labels, options.targets, options.sample_weights]
            self.check_read_again("--grad", why, read)
            partner = self._partner(stack, source, self._names(source))
            weights = None
            if options.sample_weights is not None:
                opened_weights = stack.enter_context(self._sample_weights(options.sample_weights))
                weights = RowReader(opened_weights.slice_rows(source.within))
            for block in blocks_in_order(partner.slice_rows(source.within)):
                samples = None if weights is None else weights.up_to(len(block.values))
                if weights is not None and (samples is None or len(samples) < len(block.values)):
                    return
                count(settings.counted(block, samples))

    def check_read_again(
        self, option: str, why: str, tokens: Sequence[str | None] | None = None
    ) -> None:
        """Refuse a pipe among these inputs, or all: the option reads them again."""
        tokens = self.tokens if tokens is None else tokens
        if any(map(is_read_once, tokens)):
            what = "standard input" if "-" in tokens else "a pipe"
            remedy = "name a file" + (", or add --reduction sum" if option == "--grad" else "")
            raise UsageError(f"{why}, but {what} can be read only once", remedy, option)

    def _settings(self, source: Source, of_classes: list[float] | None) -> LossSettings:
        options, names, base = self.options, source.class_names, self.options.label_base
        form: Form = "labels" if options.targets is None else "targets"
        partner, option = options.targets or "", "--targets"
        if self.p is not None:
            form, partner, option = "distributions", self.p, "--p"
        masked = [
            class_number(token, names, source.classes, "--mask-class", base)
            for token in options.mask_class
        ]
        tokens = options.ignore_label if form != "labels" else []
        labels = Names(names, base=base)
        ignored = [labels.number(token, "--ignore-label") for token in tokens]
        return LossSettings(
            form=form,
            kind="logits" if self.fits else self.kind,
            given=self.kind,
            normalize=options.normalize,
            partner=partner if path_of(file_of(partner)).is_file() else option,
            weights=Weights.of(of_classes, options.label_smoothing, masked).over(source.classes),
            temperature=checked_temperature(options.temperature),
            reduction=options.reduction,
            base=options.base,
            on_bad_row=self.read.on_bad_row,
            ignores=bool(options.ignore_label),
            ignored=tuple(int(number) for number in ignored if number is not None),
            label_base=base,
            dtypes=source.dtypes,
            column=source.column,
        )
