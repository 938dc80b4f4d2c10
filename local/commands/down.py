"""logstats down: stop a local cloud that was left running."""

from typing import Annotated

import psutil
import typer

from local.cloud.state import State
from local.commands.folder import LOCAL_FOLDER, StateOption

_GRACE_SECONDS = 40.0


def down(
    *,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing when none runs.")] = False,
    state: StateOption = LOCAL_FOLDER,
) -> None:
    """Stop the local cloud.

    That is the one that runs in another terminal, or in the background.
    """
    owner = State(state.resolve()).owner()
    if owner is None:
        if not quiet:
            typer.echo("No local cloud runs.")
        return
    owner.terminate()
    try:
        owner.wait(_GRACE_SECONDS)
    except psutil.TimeoutExpired:
        owner.kill()  # what it has started ends with it
    typer.echo(f"Stopped the local cloud (process {owner.pid}).")
