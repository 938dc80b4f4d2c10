"""Typer's commands and groups, with help and errors in plain lines: in a pipe, on any terminal, with or without colours."""

import io
import os
import re
import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from local.display import visible

_CLOSED_PIPE = 141  # what a shell reports of a program that SIGPIPE ended


def fail(message: str, status: int = 1) -> NoReturn:
    """Say in one line what is wrong, and exit."""
    line = re.sub(r"[ \t\r\n]+", " ", message.strip(" \t\r\n"))
    print(f"logstats: {visible(line)}", file=sys.stderr)
    sys.exit(status)


def require_output() -> None:
    """Exit with an error if this process was started without a standard output; do without a standard error.

    What a standard output that is not UTF-8 cannot say is escaped.
    """
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - until the end
    if sys.stdout is None:
        fail("standard output is closed; to see none, send it to /dev/null")
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.encoding.lower() != "utf-8":
        sys.stdout.reconfigure(errors="backslashreplace")


class _Plain:
    """Show a command's parameters in the help as the documents write them."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - Typer's, private
        """Return all parameters, with a word where Typer writes `<str>` or `<bool>`, and none for a flag or an argument."""
        found: list[Any] = super().get_params(ctx)  # type: ignore[misc]  # of Typer's class beside this one
        for parameter in found:
            parameter.metavar = parameter.metavar or parameter.name.upper()
            if parameter.param_type_name == "argument" or parameter.is_flag:
                parameter.display_type_rich = lambda ctx: None  # noqa: ARG005 - Typer calls it with a name
        return found

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401 - as above
        """Return the pieces of the line of usage; Typer writes `{CUSTOMER}`."""
        pieces: list[str] = super().collect_usage_pieces(ctx)  # type: ignore[misc]  # as above
        return [piece.replace("{", "").replace("}", "") for piece in pieces]


class Command(_Plain, TyperCommand):
    """A command, whose output may go into a pipe that is closed early."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer's
        """Run it, and write its output out, so that an error of that is not Python's last words."""
        try:
            done = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing to flush at exit
            raise typer.Exit(_CLOSED_PIPE) from None
        return done


class Group(_Plain, TyperGroup):
    """A group of commands, whose usage errors are one line."""

    def main(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - Typer's
        """Run a command and exit; a wrong option or argument is status 2."""
        try:
            sys.exit(super().main(*args, **{**options, "standalone_mode": False}))
        except TyperException as error:
            context = getattr(error, "ctx", None)
            called = context.command_path if context else "logstats"
            fail(f"{error.format_message().rstrip('.')} (see: {called} --help)", error.exit_code)
