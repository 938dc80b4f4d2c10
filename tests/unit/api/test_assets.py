import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path

from api.assets import FOLDER, assets, bundle
from tests.node import NODE

LIMIT_BYTES = 150_000


class Elements(HTMLParser):
    """Collects elements with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements() -> list[tuple[str, dict[str, str | None]]]:
    parser = Elements()
    parser.feed(assets().index.body.decode())
    return parser.found


def test_the_page_is_small() -> None:
    ours = assets()
    assert sum(len(asset.body) for asset in (ours.index, *ours.files.values())) < LIMIT_BYTES
    sent = sum(len(asset.compressed) for asset in (ours.index, *ours.files.values()))
    assert sent < LIMIT_BYTES / 4


def test_the_document_points_to_the_files_of_its_version_only() -> None:
    """The addresses are relative: the page may live behind a stage's prefix."""
    pointers = [
        attributes[name] for _, attributes in elements() for name in ("src", "href") if name in attributes
    ]
    outside = {f"static/{assets().version}/{name}" for name in assets().files}
    inside = {pointer for pointer in pointers if pointer and not pointer.startswith(("#", "data:", "./"))}
    assert inside == outside


def test_nothing_in_the_document_needs_a_looser_policy() -> None:
    for tag, attributes in elements():
        assert tag != "style"
        assert tag != "script" or attributes["src"]
        assert not {name for name in attributes if name == "style" or name.startswith("on")}


def test_every_element_the_script_asks_for_exists() -> None:
    ids = [attributes["id"] for _, attributes in elements() if "id" in attributes]
    assert len(ids) == len(set(ids))
    script = assets().files["page.js"].body.decode()
    asked = set(re.findall(r'byId\("([\w-]+)"\)', script))
    assert asked
    assert asked <= set(ids)


def test_no_text_becomes_markup() -> None:
    script = assets().files["page.js"].body.decode()
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", script
    )
    assert "localStorage" not in script  # the token is kept in memory only
    assert "sessionStorage" not in script


def node(folder: Path, script: str, *options: str) -> str:
    (folder / "page.mjs").write_text(script, encoding="utf-8")
    done = subprocess.run(
        [NODE, *options, "page.mjs"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_modules_run_after_those_they_import_and_once(tmp_path: Path) -> None:
    for name, source in {
        "app": 'import { b } from "./b.js";\nimport { a, log } from "./a.js";\nlog(a + b);\n',
        "b": 'import { a, log } from "./a.js";\nexport const b = a + 1;\nlog("b");\n',
        "a": 'export const a = 1;\nexport function log(text) {\n  console.log(text);\n}\nlog("a");\n',
    }.items():
        (tmp_path / f"{name}.js").write_text(source)
    assert node(tmp_path, bundle(tmp_path / "app.js")).split() == ["a", "b", "3"]


def test_the_page_joins_into_one_module_that_engines_accept(tmp_path: Path) -> None:
    """A name that two modules declare would be a syntax error; an import of another form would be left over."""
    script = assets().files["page.js"].body.decode()
    node(tmp_path, script, "--check")
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)


def test_every_file_of_the_folder_is_sent_and_knows_what_it_uses() -> None:
    """Joined, a forgotten import would go unnoticed, and an unused one too."""
    script = assets().files["page.js"].body.decode()
    modules = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.js")}
    assert {path.suffix for path in FOLDER.iterdir()} == {".css", ".html", ".js"}
    exports = {
        word: name
        for name, source in modules.items()
        for word in re.findall(r"^export (?:async )?(?:function|class|const) (\w+)", source, re.MULTILINE)
    }
    for name, source in modules.items():
        first, rest = source.split("\n", 1)
        assert first in script, f"{name} is not imported"
        lines = re.findall(r'^import \{ ([\w, ]+) \} from "\./([\w-]+\.js)";$', source, re.MULTILINE)
        imported = {word: origin for words, origin in lines for word in words.split(", ")}
        assert imported.items() <= exports.items()
        code = re.sub(r"^import .*", "", rest, flags=re.MULTILINE)
        for word, origin in exports.items():
            own = origin == name or re.search(rf"^function {word}\b|const {word} =", code, re.MULTILINE)
            used = re.search(rf"\b{word}\b" if word in imported else rf"(?<![.\w-]){word}\(", code)
            assert own or (word in imported) == bool(used), f"{word} in {name}"
