import gzip
import re
from html.parser import HTMLParser

from api.assets import FOLDER, assets

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
    assert sent < LIMIT_BYTES / 5


def test_compressed_files_are_the_same_files() -> None:
    for asset in (assets().index, *assets().files.values()):
        assert gzip.decompress(asset.compressed) == asset.body
        assert asset.compressed_etag != asset.etag
        assert re.fullmatch(r'"[0-9a-f]{32}"', asset.etag)


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


def test_every_file_of_the_folder_is_sent() -> None:
    assert {path.suffix for path in FOLDER.iterdir()} == {".css", ".html", ".js"}
