import re
import subprocess
from pathlib import Path

import pytest

from api.assets import FOLDER
from api.bundle import BundleError, bundle
from tests.node import NODE


def write(folder: Path, **sources: str) -> Path:
    for name, source in sources.items():
        (folder / f"{name}.js").write_text(source)
    return folder / "app.js"


def run(script: str) -> str:
    done = subprocess.run(
        [NODE, "--input-type=module"], input=script, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_modules_run_after_those_they_import_and_once(tmp_path: Path) -> None:
    entry = write(
        tmp_path,
        app='import { b } from "./b.js";\nimport { a, log } from "./a.js";\nlog(a + b);\n',
        b='import { a, log } from "./a.js";\nexport const b = a + 1;\nlog("b");\n',
        a='export const a = 1;\nexport function log(text) {\n  console.log(text);\n}\nlog("a");\n',
    )
    assert run(bundle(entry)).split() == ["a", "b", "3"]


@pytest.mark.parametrize(
    "source",
    [
        'import * as a from "./a.js";',
        'import a from "./a.js";',
        'import { a as b } from "./a.js";',
        'import {\n  a } from "./a.js";',
        'import { a } from "https://elsewhere.example/a.js";',
        "const a = 1;\nexport { a };",
        "export default function () {}",
    ],
)
def test_other_forms_are_refused(tmp_path: Path, source: str) -> None:
    entry = write(tmp_path, app=source + "\n", a="export const a = 1;\n")
    with pytest.raises(BundleError, match=r"app\.js: (import|export)"):
        bundle(entry)


def test_the_page_joins_into_one_module_that_engines_accept(tmp_path: Path) -> None:
    """A name that two modules declare would be a syntax error."""
    joined = tmp_path / "page.mjs"
    joined.write_text(bundle(FOLDER / "app.js"), encoding="utf-8")
    done = subprocess.run([NODE, "--check", str(joined)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_module_of_the_page_is_used_and_knows_what_it_uses() -> None:
    text = bundle(FOLDER / "app.js")
    for module in FOLDER.glob("*.js"):
        first = module.read_text(encoding="utf-8").splitlines()[0]
        assert first.startswith("// ")
        assert first in text, f"{module.name} is not imported"


def test_every_import_is_exported_and_used() -> None:
    """Joined, a forgotten import would go unnoticed, and an unused one too."""
    sources = {module.name: module.read_text(encoding="utf-8") for module in FOLDER.glob("*.js")}
    for name, source in sources.items():
        imported: dict[str, str] = {}
        for names, origin in re.findall(
            r'^import \{ ([\w, ]+) \} from "\./([\w-]+\.js)";$', source, re.MULTILINE
        ):
            imported |= dict.fromkeys(names.split(", "), origin)
        for word, origin in imported.items():
            assert re.search(
                rf"^export (?:async )?(?:function|class|const) {word}\b", sources[origin], re.MULTILINE
            )
            assert len(re.findall(rf"\b{word}\b", source)) > 1, f"{name} does not use {word}"
        exported = {
            word: origin
            for origin, other in sources.items()
            for word in re.findall(r"^export (?:async )?(?:function|class|const) (\w+)", other, re.MULTILINE)
        }
        for word, origin in exported.items():
            used = re.search(rf"(?<![.\w-]){word}\(", source)
            if (
                origin != name
                and used
                and not re.search(rf"^function {word}\b|^  const {word} =", source, re.MULTILINE)
            ):
                assert word in imported, f"{name} does not import {word} of {origin}"
