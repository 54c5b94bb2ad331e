"""The program's subcommands: the app, the table that lists them, and how one is run."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from softmax_cli.commands.app.commands import COMMANDS
from softmax_cli.commands.app.parser import NumbersCommand, usage_error
from softmax_cli.commands.options.flag import PROGRAM, is_option
from softmax_cli.core.kernel.choice import compiled
from softmax_cli.errors import (
    ExitCode,
    NothingGivenError,
    OutputError,
    SoftmaxCliError,
    UsageError,
    did_you_mean,
)

EPILOG = """\b
Examples:
  softmax-cli softmax 1 2 3
  softmax-cli softmax samples/iris.csv --id-columns label -o probabilities.csv
  softmax-cli jacobian 1 2 3
  softmax-cli xent samples/iris.csv --label-column label
  softmax-cli gradcheck

'softmax-cli COMMAND --help' shows the options of a command, with examples.
"""


class CommandTable(TyperGroup):
    """The subcommands; a command's module is loaded when it is used."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Return the names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Return the command of that name."""
        return load(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """List the commands for the help, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def load(name: str) -> Any:
    """Return the subcommand as the parser sees it."""
    from softmax_cli.commands.app.parameters import takes_groups

    module = import_module(f"softmax_cli.commands.{name}")
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(
        name,
        cls=NumbersCommand,
        help=f"{COMMANDS[name]}\n\n{module.DESCRIPTION}",
        epilog="\b\nExamples:\n" + "\n".join(f"  {line}" for line in module.EXAMPLES),
        short_help=COMMANDS[name],
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )(takes_groups(module.command))
    return typer.main.get_command(app)


def _version(wanted: bool) -> None:
    if wanted:
        from softmax_cli import __version__
        from softmax_cli.core.kernel.choice import name

        typer.echo(f"{PROGRAM} {__version__} ({name()})")
        raise typer.Exit


app = typer.Typer(
    cls=CommandTable,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Softmax, its Jacobian, cross-entropy and gradient checks.",
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback with an error.")] = False,
) -> None:
    """Hold the options of the program itself."""


def run(arguments: list[str]) -> int:
    """Run the command line and return its exit code; Typer's own errors become ours."""
    root = typer.main.get_command(app)
    if "_SOFTMAX_CLI_COMPLETE" in os.environ:
        try:
            root.main(arguments, prog_name=PROGRAM)
        except SystemExit as end:
            return _ended(end.code)
    if not arguments:
        # No command: print the help to standard error.
        with root.make_context(PROGRAM, ["--debug"]) as context:
            print(root.get_help(context), file=sys.stderr)
        return ExitCode.ERROR
    _check_command(arguments[0])
    try:
        # The parser empties its list.
        with root.make_context(PROGRAM, list(arguments)) as context:
            # A kernel that there is not is an error of every command.
            compiled()
            return int(root.invoke(context) or ExitCode.DONE)
    except (typer.Exit, SystemExit) as end:
        # SystemExit: --show-completion and --install-completion.
        return _ended(end.exit_code if isinstance(end, typer.Exit) else end.code)
    except NothingGivenError:
        with load(arguments[0]).make_context(f"{PROGRAM} {arguments[0]}", ["x"]) as context:
            print(context.get_help(), file=sys.stderr)
        return ExitCode.ERROR
    except SoftmaxCliError as error:
        error.place = error.place or arguments[0]
        raise
    except typer.TyperException as error:
        raise usage_error(error, arguments) from error


def _ended(code: object) -> int:
    """Return our exit code for Typer's; without standard output Typer printed nothing."""
    if code:
        return ExitCode.ERROR
    if sys.stdout is None:
        raise OutputError("is closed", "open it", "standard output")
    return ExitCode.DONE


def _check_command(name: str) -> None:
    if name in COMMANDS or name.startswith("--") or is_option(name):
        return
    from softmax_cli.formats.text.numbers import is_number

    if is_number(name.split(",")[0]):
        remedy = f"for the softmax of numbers: {PROGRAM} softmax {name} ..."
    else:
        remedy = did_you_mean(name, COMMANDS, f"the commands are {', '.join(COMMANDS)}")
    raise UsageError("no such command", remedy, name)
