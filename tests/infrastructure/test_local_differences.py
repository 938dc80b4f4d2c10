"""The local cloud deploys the same app: it differs from dev by a committed list, and nothing else."""

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tests.infrastructure.templates import template

ALLOWED: dict[str, list[str]] = json.loads(Path(__file__).with_name("local_differences.json").read_text())
PATTERNS = [pattern for patterns in ALLOWED.values() for pattern in patterns]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON
    """Paths and values; lists are sets, and CloudFormation's functions are values."""
    if isinstance(value, dict) and value and not any(key == "Ref" or "::" in key for key in value):
        for key, below in value.items():
            yield from leaves(below, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for below in value:
            yield f"{path}[{json.dumps(below, sort_keys=True)}]", ""
    else:
        yield path, json.dumps(value, sort_keys=True)


def flat(environment: str) -> dict[str, str]:
    text = json.dumps(template(environment)).replace(f"logstats-{environment}", "logstats-ENVIRONMENT")
    return dict(leaves(json.loads(text)))


def differences() -> set[str]:
    dev, local = flat("dev"), flat("local")
    return {path for path in dev.keys() | local.keys() if dev.get(path) != local.get(path)}


def matches(path: str, pattern: str) -> bool:
    """Whether a pattern covers a path or something above it; its brackets are no character classes."""
    plain = pattern.replace("[", "[[]")
    return any(fnmatchcase(path, candidate) for candidate in (plain, f"{plain}.*", f"{plain}[[]*"))


def test_local_differs_from_dev_as_listed_and_no_listed_difference_is_obsolete() -> None:
    found = differences()
    assert [path for path in found if not any(matches(path, pattern) for pattern in PATTERNS)] == []
    assert [pattern for pattern in PATTERNS if not any(matches(path, pattern) for path in found)] == []


def test_dev_differs_from_prod_in_values_only() -> None:
    """The two have the same resources, but for what seals in prod, and what a snapshot of its API is made of."""
    snapshot = {"AWS::Lambda::Alias", "AWS::Lambda::Version"}
    shape = {
        environment: {
            (name, resource["Type"])
            for name, resource in template(environment)["Resources"].items()
            if resource["Type"] not in snapshot and "Retention" not in name
        }
        for environment in ("dev", "prod")
    }
    assert shape["dev"] == shape["prod"]
