"""The forms of gradcheck: their options, and which of these go together."""

from dataclasses import dataclass, field, fields
from functools import partial
from typing import Annotated, Literal

from softmax_cli.commands.options.flag import CommandLine, Flag, option_name
from softmax_cli.commands.options.loss import LossOptions
from softmax_cli.errors import UsageError
from softmax_cli.formats.model.options import WriteOptions

Builtin = Literal["softmax", "log-softmax", "xent"]
Of = Literal[Builtin, "all"]

_given = partial(Flag, panel="What is checked")
_check = partial(Flag, panel="How it is checked")
_output = partial(Flag, panel="Output")

REPORT_FORMS = ("table", "json", "junit", "github")


@dataclass(frozen=True)
class GivenOptions:
    """What is checked: a gradient file and its function, or a function at points."""

    of: Annotated[
        Of | None,
        _given(
            "Which built-in derivatives to check, or the function of a gradient file. Also says "
            "that the values are logits, whatever they look like.  [default: all]"
        ),
    ] = None
    logits: Annotated[str | None, _given("The logits of a gradient file.", "Z")] = None
    upstream: Annotated[
        str | None,
        _given("The upstream gradient, with respect to the result of --of: a row or a file.", "V"),
    ] = None
    grad: Annotated[str | None, _given("The gradient: a file, or module:gradient.", "G")] = None
    jacobian: Annotated[str | None, _given("A file of Jacobians of --of.", "J")] = None
    at: Annotated[
        list[str],
        _given("A point to check module:function at: 1,2,3, or a file of rows. Repeatable.", "X"),
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
            "Number of random points: for the built-ins, or around those of --at.  "
            "[default: 8 for the built-ins, else none]",
            "N",
            min=1,
        ),
    ] = None
    seed: Annotated[int, _check("Seed of random points, vectors and directions.", min=0)] = 0
    worst: Annotated[int, _check("Worst entries to show.", "K", min=0)] = 3


@dataclass(frozen=True)
class VerdictOptions(WriteOptions):
    """Output options of a report, whose forms differ from those of rows of numbers."""

    format: Annotated[
        str | None,
        _output(
            "Form of the report: a table, JSON, JUnit XML, or annotations for GitHub Actions. "
            "Default: from the suffix of -o; else a table.",
            "|".join(REPORT_FORMS),
            choices=REPORT_FORMS,
        ),
    ] = None
    output: Annotated[
        str | None,
        _output(
            "Write the report to a file: .txt, .json or .xml (JUnit); - is standard output.",
            "PATH",
            short="-o",
        ),
    ] = None
    report: Annotated[
        list[str],
        _output(
            "Write the report to this file as well: .json or .xml (JUnit). Repeatable.", "PATH"
        ),
    ] = field(default_factory=list)


_LOSS = {field.name for field in fields(LossOptions)}
# Options that apply only to some forms of the command; all others apply to every form.
FORMS = {
    "--logits": {"logits", "upstream", "grad", "jacobian", "of", "binary"} | _LOSS,
    "module:function": {"grad", "at", "method", "step", "points"},
    "the built-in derivatives": {"of", "temperature", "method", "step", "points"},
}
PARTNERS = ("labels", "label_column", "targets", "upstream")


def check_form(
    line: CommandLine, values: list[str] | None, given: GivenOptions, options: LossOptions
) -> None:
    """Raise UsageError unless the options make up one form of the command."""
    for value in values or ():
        if is_function([value]):
            if values != [value]:
                raise UsageError("takes no other values", "write --at 1,2,3 with commas", value)
            if not given.at:
                raise UsageError("no point to check at", "give --at 1,2,3 or a file", value)
        elif ":" in value and given.at:
            raise UsageError("is not module:function", "write package.module:name", value)
    typed = [name for name in sorted(set().union(*FORMS.values())) if name in line.typed]
    form = "module:function" if is_function(values) else "the built-in derivatives"
    form = "--logits" if "logits" in typed else form
    for name in typed:
        if name not in FORMS[form]:
            forms = " and ".join(other for other in FORMS if name in FORMS[other])
            raise UsageError(f"does not go with {form}", f"it goes with {forms}", option_name(name))
    if values and "points" in typed and form == "the built-in derivatives":
        raise UsageError("your points are checked, none is drawn", "leave it out", "--points")
    if form == "--logits":
        _check_gradient_file(values, typed, given, options)


def check_subject(values: list[str] | None, given: GivenOptions, *, in_table: bool) -> None:
    """Raise UsageError if nothing of the user's is checked: a build would always pass."""
    if given.of is not None or given.logits is not None or is_function(values):
        return
    remedy = "give --logits Z --labels L --grad G, module:function, --config PATH, or --of all"
    if in_table:
        remedy = 'give function, or logits, labels and grad, or of = "all"'
    problem = "checks nothing of yours, and a report of it would always pass"
    remedy += " to check the built-in derivatives"
    raise UsageError(problem, remedy, "" if in_table else "gradcheck")


def is_function(values: list[str] | None) -> bool:
    """Return whether the values are one module:function."""
    if values is None or len(values) != 1:
        return False
    module, _, name = values[0].partition(":")
    return all(part.isidentifier() for part in (*module.split("."), name))


def _check_gradient_file(
    values: list[str] | None, typed: list[str], given: GivenOptions, options: LossOptions
) -> None:
    if values:
        raise UsageError("takes no other values", "leave them out", "--logits")
    is_jacobian = given.jacobian is not None
    if (given.grad is None) != is_jacobian:
        raise UsageError("takes one gradient file", "give one of --grad and --jacobian", "--logits")
    partners = [name for name in PARTNERS if name in typed]
    if "label_column" in partners and options.labels_are_a_file:
        partners.remove("label_column")
    if is_jacobian and partners:
        problem = "takes neither labels, targets nor upstream gradients"
        raise UsageError(problem, "leave them out", "--jacobian")
    if not is_jacobian and len(partners) != 1:
        remedy = "give exactly one of --labels, --label-column, --targets and --upstream"
        raise UsageError("does not say what it is the gradient of", remedy, "--grad")
    if options.from_ not in (None, "logits"):
        raise UsageError("a gradient is with respect to logits", "leave it out", "--from")
    if partners and partners[0] != "upstream":
        if given.of not in (None, "xent"):
            raise UsageError("labels and targets define a loss", "leave it out", "--of")
        return
    option = "--jacobian" if is_jacobian else "--upstream"
    if given.of not in ("softmax", "log-softmax"):
        remedy = "add --of softmax or --of log-softmax"
        raise UsageError("does not say of which function", remedy, option)
    for name in typed:
        if name in _LOSS - {"temperature"}:
            raise UsageError(f"does not go with {option}", "it goes with a loss", option_name(name))
