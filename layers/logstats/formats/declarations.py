"""Find the declarations of formats: the presets beside this file, and files of the user's own."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from logstats.domain.format import Format, parse_format, validate_format
from logstats.domain.notation import FormatError

NATIVE = "logstats"
_FOLDER = Path(__file__).parent


class _Presets(Mapping[str, Format]):
    """The presets by name, each read when it is first asked for: a log needs one of them."""

    def __init__(self) -> None:
        names = sorted(path.stem for path in _FOLDER.glob("*.toml"))
        self._formats: dict[str, Format | None] = dict.fromkeys([NATIVE, *names])

    def __getitem__(self, name: str) -> Format:
        declared = self._formats[name] or _read(_FOLDER / f"{name}.toml")
        self._formats[name] = declared
        return declared

    def __iter__(self) -> Iterator[str]:
        return iter(self._formats)

    def __len__(self) -> int:
        return len(self._formats)


@cache
def presets() -> Mapping[str, Format]:
    """Return the presets by name, the native one first."""
    return _Presets()


def source_of(name: str) -> str:
    """Return the TOML of a preset.

    Raises
    ------
    FormatError
        If there is no such preset.
    """
    if name not in presets():
        raise FormatError(f"{name!r} is no preset: {', '.join(presets())}")
    return (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")


def load(name_or_path: str) -> tuple[str, Format]:
    """Return the name and the format of a preset, or of a file with a declaration, whose name it takes.

    Raises
    ------
    FormatError
        If there is neither, or if the declaration is wrong; one line that names the file and the key.
    """
    if name_or_path in presets():
        return name_or_path, presets()[name_or_path]
    path = Path(name_or_path)
    if path.suffix != ".toml" and not path.is_file():
        raise FormatError(f"{name_or_path!r} is neither a file nor a preset: {', '.join(presets())}")
    return path.stem, _read(path)


def customised(declared: Format, customer: str | None = None, zone: str | None = None) -> Format:
    """Return a format with another customer (``VALUE [PART]``), or with another offset of times that have none.

    Raises
    ------
    FormatError
        If the format has no such value, or if that is no part or no offset.
    """
    changes: dict[str, object] = {}
    if customer is not None:
        value, _, part = customer.strip().partition(" ")
        changes["customer"] = {"value": value} | ({"part": part.strip()} if part else {})
    if zone is not None:
        timestamp = declared.timestamp
        changes["timestamp"] = {"value": list(timestamp.value), "form": timestamp.form, "zone": zone}
    return validate_format(dict(declared) | changes) if changes else declared


def _read(path: Path) -> Format:
    try:
        return parse_format(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise FormatError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise FormatError(f"{path}: this is not UTF-8") from None
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None
