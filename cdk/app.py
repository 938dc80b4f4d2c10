"""Synthesise the stacks into `cdk.out/`: ``python -m cdk.app [-c key=value ...] [--output FOLDER]``.

The CDK command line runs this too, and passes its context and output folder through the environment.
"""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from cdk import ROOT
from cdk.bundling import BundlingError
from cdk.parameters import ParametersError, read


class BrokenRuleError(Exception):
    """A construct breaks a rule, and the breach is not acknowledged; CDK has printed which."""


def synthesise(context: dict[str, Any], output: Path) -> None:
    """Write the templates and assets of the environments that a context asks for.

    Raises
    ------
    ParametersError
        If the context is wrong.
    BundlingError
        If a layer cannot be built.
    BrokenRuleError
        If a construct breaks a rule of `cdk.checks`.
    """
    environments = read(context)
    from aws_cdk import App  # noqa: PLC0415 - starts Node, which takes seconds

    from cdk import checks  # noqa: PLC0415 - as above
    from cdk.stack import LogstatsStack  # noqa: PLC0415 - as above

    app = App(context=context, outdir=str(output))
    checks.install(app)
    for parameters in environments:
        LogstatsStack(app, parameters)
    try:
        app.synth()
    except RuntimeError as error:  # what jsii makes of JavaScript's
        if "ValidationFailed" not in str(error):
            raise
        raise BrokenRuleError(f"rules are broken; the list is above, and in {output}") from None


def _context(overrides: list[str]) -> dict[str, Any]:
    """Return the context: the CDK command line's, or that of `cdk.json` with the given overrides."""
    if "CDK_CONTEXT_JSON" in os.environ:
        context: dict[str, Any] = json.loads(os.environ["CDK_CONTEXT_JSON"])
    else:
        context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    for override in overrides:
        key, separator, value = override.partition("=")
        if not separator:
            raise ParametersError(f"-c {override}: give key=value")
        context[key] = value
    return context


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m cdk.app", description="Synthesise the stacks.")
    parser.add_argument("-c", "--context", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("-o", "--output", type=Path, default=os.environ.get("CDK_OUTDIR", ROOT / "cdk.out"))
    arguments = parser.parse_args()
    try:
        synthesise(_context(arguments.context), Path(arguments.output))
    except (ParametersError, BundlingError, BrokenRuleError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
