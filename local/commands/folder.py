"""Where the commands keep what they keep."""

from pathlib import Path
from typing import Annotated

import typer

_CHECKOUT = Path(__file__).resolve().parents[2]
LOCAL_FOLDER = (_CHECKOUT if (_CHECKOUT / "pyproject.toml").is_file() else Path.cwd()) / ".local"
"""In the checkout, wherever the command is called from; else in the current folder."""

StateOption = Annotated[
    Path,
    typer.Option(
        "--state",
        metavar="FOLDER",
        envvar="LOGSTATS_STATE",
        show_default=False,
        help="Where data and logs are kept. [default: .local]",
    ),
]
