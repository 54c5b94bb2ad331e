"""Turns a command's flags and groups of options into the parameters that Typer reads."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperOption

from softmax_cli.commands.app.parser import ARGUMENTS, usage_error
from softmax_cli.commands.options.flag import CommandLine, KnownOption, Positional, option_name
from softmax_cli.commands.options.shared import FLAGS


def takes_groups(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take each dataclass parameter as the options that are its fields."""
    hints = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    groups: dict[str, type[Any]] = {}
    line_name: str | None = None
    for parameter in inspect.signature(command).parameters.values():
        hint = hints[parameter.name]
        if hint is CommandLine:
            line_name = parameter.name
            parameters.append(parameter.replace(annotation=typer.Context))
        elif is_dataclass(hint) and isinstance(hint, type):
            groups[parameter.name] = hint
            parameters.extend(_group_parameters(hint))
        else:
            parameters.append(parameter.replace(annotation=_typer_hint(hint, parameter.name)))

    @functools.wraps(command)
    def grouped(**given: Any) -> Any:
        if line_name is not None:
            given[line_name] = command_line(given[line_name])
        built = {
            name: group(**{option.name: given.pop(option.name) for option in fields(group)})
            for name, group in groups.items()
        }
        return command(**given, **built)

    grouped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    grouped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return grouped


def _group_parameters(group: type[Any]) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    for option in fields(group):
        hint = hints[option.name]
        if get_origin(hint) is not Annotated:
            hint = Annotated[hint, FLAGS[option.name]]
        default = [] if option.default is MISSING else option.default
        kind = inspect.Parameter.KEYWORD_ONLY
        yield inspect.Parameter(
            option.name, kind, default=default, annotation=_typer_hint(hint, option.name)
        )


def _typer_hint(hint: Any, parameter: str) -> Any:
    kind, flag = get_args(hint)
    if isinstance(flag, Positional):
        argument = typer.Argument(metavar=flag.metavar, show_default=False, help=flag.help)
        return Annotated[kind, argument]
    names = (flag.name or option_name(parameter), flag.short)
    option = typer.Option(
        *filter(None, names),
        help=flag.help,
        rich_help_panel=flag.panel,
        metavar=flag.metavar,
        min=flag.min,
        max=flag.max,
        callback=flag.check,
        autocompletion=flag.complete if flag.choices else None,
        show_default=flag.show_default,
    )
    return Annotated[kind, option]


def command_line(context: typer.Context) -> CommandLine:
    """Return the command line that Typer parsed, in our own terms."""
    command: Any = context.command

    def rerun(settings: list[str], arguments: list[str], passed: Any) -> Any:
        try:
            with command.make_context(command.name, settings + arguments, obj=passed) as again:
                # Repeating a check needs its own arguments, not the settings of this run.
                again.meta[ARGUMENTS] = arguments
                return command.invoke(again)
        except typer.TyperException as error:
            raise usage_error(error, [str(command.name)]) from error

    typed = [
        name
        for name in context.params
        if (source := context.get_parameter_source(name)) and source.name == "COMMANDLINE"
    ]
    options = {
        flag: KnownOption(
            str(option.name),
            next(iter(option.secondary_opts), None),
            option.is_flag,
            option.multiple,
        )
        for option in command.params
        if isinstance(option, TyperOption) and option.name != "help"
        for flag in option.opts
    }
    arguments = context.meta[ARGUMENTS]
    return CommandLine(arguments, context.params, typed, options, rerun, context.obj)
