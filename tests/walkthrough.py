"""Documents as tests: the commands of their `console` blocks are run on a terminal of 80 columns, and their output is compared.

A command follows `$ `; the lines up to the next are its output, where `...` stands for anything and a line of
it alone for any number of lines. No output shown: any will do. Output that starts with "error:" must come with a
status other than 0, all other with 0. Blocks of one document share a shell. A block of language `sh` is not run like
this: an HTML comment before it says why (`not run: …`), or which test takes it by `shown` and runs it (`run by: test_…`).
"""

import os
import pty
import re
import signal
import subprocess
import termios
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

_BLOCK = re.compile(
    r"(?:<!-- (?P<comment>[^>]*) -->\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
ROOT = Path(__file__).parents[1]
_END = "end-of-command"
_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True)
class Command:
    """A command, and the output that the document shows."""

    text: str
    shown: str

    @property
    def fails(self) -> bool:
        return self.shown.startswith("error:")

    def check(self, status: int, output: str) -> None:
        context = f"$ {self.text}\n{output}\n(status {status}); the document shows:\n{self.shown}"
        assert (status != 0) == self.fails, context
        if self.shown:
            assert re.fullmatch(_pattern(self.shown), output.rstrip() + "\n"), context


@dataclass(frozen=True)
class Block:
    """A fenced block, with the comment that stands before it."""

    language: str
    comment: str
    body: str

    def commands(self) -> list[Command]:
        texts = re.split(r"^\$ ", self.body, flags=re.MULTILINE)
        assert not texts[0].strip(), f"output before the first command: {texts[0]}"
        return [Command(*_divide(text)) for text in texts[1:]]


def blocks(document: Path) -> list[Block]:
    found = _BLOCK.finditer(document.read_text("utf-8"))
    return [Block(match["language"], match["comment"] or "", match["body"]) for match in found]


def documents(*languages: str) -> list[Path]:
    """All documents, or those with blocks in one of some languages."""
    found = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob(".github/**/*.md")])
    return [
        path for path in found if not languages or {block.language for block in blocks(path)} & {*languages}
    ]


def shown(document: str, start: str) -> str:
    """Return the one block of a document that starts so: for tests that run it themselves."""
    (block,) = (each for each in blocks(ROOT / document) if each.body.startswith(start))
    return block.body


def run(
    commands: list[Command], folder: Path, environment: Mapping[str, str]
) -> Iterator[tuple[Command, int, str]]:
    """Run commands in one shell; yield each with its status and its output, both streams together."""
    output, terminal = _terminal()
    shell = subprocess.Popen(
        ["bash", "--norc"],
        cwd=folder,
        env={**environment, "TERM": "dumb", "COLUMNS": "80"},
        stdin=subprocess.PIPE,
        stdout=terminal,
        stderr=terminal,
        text=True,
        start_new_session=True,
    )
    os.close(terminal)
    assert shell.stdin
    with shell, output:
        for command in commands:
            shell.stdin.write(f"{command.text}\nstatus=$?; echo; echo {_END} $status\n")
            shell.stdin.flush()
            yield command, *_answer(shell, output, command)
        shell.stdin.write("kill $(jobs -p) 2>/dev/null; wait\n")
        shell.stdin.close()


def _terminal() -> tuple[TextIO, int]:
    """Return what is written to a new terminal, and the terminal, which adds no carriage returns."""
    output, terminal = pty.openpty()
    attributes = termios.tcgetattr(terminal)
    attributes[1] &= ~termios.OPOST
    termios.tcsetattr(terminal, termios.TCSANOW, attributes)
    return os.fdopen(output, encoding="utf-8"), terminal


def _answer(shell: "subprocess.Popen[str]", written: TextIO, command: Command) -> tuple[int, str]:
    """Read a command's output up to its end; one that does not come to an end is an error."""
    watchdog = threading.Timer(_PATIENCE_SECONDS, os.killpg, [shell.pid, signal.SIGKILL])
    watchdog.start()
    output = ""
    with suppress(OSError):  # a terminal that nobody has open any more
        for line in written:
            if line.startswith(_END):
                watchdog.cancel()
                return int(line.split()[1]), output
            output += line
    raise AssertionError(f"$ {command.text}\n{output}\n(it did not end)")


def _divide(text: str) -> tuple[str, str]:
    """Split a command, which `\\` continues, from its output."""
    command, newline, rest = text.partition("\n")
    while command.endswith("\\"):
        more, newline, rest = rest.partition("\n")
        command += newline + more
    return command, rest.rstrip()


def _pattern(shown: str) -> str:
    lines = [
        r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line).replace(re.escape("..."), ".*?") + r" *\n"
        for line in shown.splitlines()
    ]
    return "".join(lines)
