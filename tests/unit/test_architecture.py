"""The architecture page's diagram is that of the code."""

import ast
import re
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

import cdk.stack
from logstats.models import Base

PAGE = Path(__file__).parents[2] / "docs/architecture.md"
DIAGRAM = re.findall(r"^```mermaid\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)[0]
LABELS = dict(
    re.findall(r'^\s*(?:subgraph )?(\w+)(?:\[\("|\["|\[\(|\[|\(\[)(.*?)"?\)?\]', DIAGRAM, re.MULTILINE)
)
DOTTED = re.compile(r"\b(?:processor|logstats|api|migrate|report|cdk)(?:\.\w+)+")
MODULES = {
    node: match[0]
    for node, label in LABELS.items()
    if (match := DOTTED.search(label)) and not match[0].startswith("cdk.")
}


def arrows() -> set[tuple[str, str]]:
    """The arrows, chains taken apart."""
    found = set()
    for line in DIAGRAM.splitlines():
        nodes = re.split(r" (?:-- .*? )?--> ", line.strip())
        found |= set(pairwise(nodes))
    return found


def source(module: str) -> Path | None:
    """The file of a module, or of the one that has a class or function of that name."""
    for name in (module, module.rpartition(".")[0]):
        try:
            spec = find_spec(name)
        except ModuleNotFoundError:
            continue
        if spec and spec.origin:
            return Path(spec.origin)
    return None


@pytest.mark.parametrize("name", sorted(set(DOTTED.findall(DIAGRAM))))
def test_what_the_diagram_names_exists(name: str) -> None:
    path = source(name)
    assert path
    last = name.rpartition(".")[2]
    is_module = last in {path.stem, path.parent.name}
    assert is_module or re.search(rf"^(?:class|def) {last}\b", path.read_text(), re.MULTILINE)


def test_every_arrow_between_modules_is_an_import() -> None:
    between = {(MODULES[a], MODULES[b]) for a, b in arrows() if a in MODULES and b in MODULES}
    assert len(between) > 10
    for user, used in between:
        path = source(user)
        assert path
        assert used in imports(path), f"{user} does not import {used}"


def imports(path: Path) -> set[str]:
    """The modules that a file, or for a package any of its files, imports."""
    files = path.parent.glob("*.py") if path.name == "__init__.py" else [path]
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found | {name.rpartition(".")[0] for name in found}


def test_every_construct_of_the_stack_is_in_the_diagram() -> None:
    tree = ast.parse(Path(cdk.stack.__file__).read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module} - {
        "cdk.outputs",
        "cdk.parameters",
    }
    named = {name.rpartition(".")[0] for name in DOTTED.findall(DIAGRAM)}
    assert {module for module in modules if module.startswith("cdk.")} <= named


def test_every_table_is_in_the_diagram() -> None:
    assert set(Base.metadata.tables) <= set(re.findall(r"\w+", DIAGRAM))
