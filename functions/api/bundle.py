"""Join the page's modules into one script, as a bundler does without minifying.

Each file is a request, and behind a Lambda function each request of a burst needs an environment of its own:
seventeen modules would be seventeen cold starts at once. Modules may use two forms only, which are joined by
leaving them out: ``import { a, b } from "./other.js";`` and ``export`` before a function, class or constant.
"""

import re
from pathlib import Path

_IMPORT = re.compile(r'^import \{ \w+(?:, \w+)* \} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function |class |const )", re.MULTILINE)
_LEFT_OVER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


class BundleError(Exception):
    """A module uses a form of import or export that cannot be joined."""


def bundle(entry: Path) -> str:
    """Return a module and all that it imports as one script, each after those it imports.

    Raises
    ------
    BundleError
        If a module imports or exports in another form.
    """
    joined: dict[Path, str] = {}

    def add(module: Path) -> None:
        source = module.read_text(encoding="utf-8")
        for name in _IMPORT.findall(source):
            imported = module.parent / name
            if imported not in joined:
                add(imported)
        text = _EXPORT.sub("", _IMPORT.sub("", source))
        left_over = _LEFT_OVER.search(text)
        if left_over:
            raise BundleError(f"{module.name}: {left_over[0]}")
        joined[module] = text

    add(entry)
    return "\n".join(joined.values())
