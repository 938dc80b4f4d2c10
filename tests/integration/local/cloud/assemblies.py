"""Cloud assemblies that differ from the synthesised one: another template, other code."""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.cloud.deployment import STACK

Resource = dict[str, Any]


@dataclass
class Changed:
    """A copy of an assembly, to be changed and then written."""

    folder: Path
    template: dict[str, Any]
    manifest: dict[str, Any]

    def resource(self, prefix: str, kind: str) -> Resource:
        """The resource of a type whose logical id starts with something."""
        (found,) = (
            resource
            for name, resource in self.template["Resources"].items()
            if name.startswith(prefix) and resource["Type"] == kind
        )
        return dict(found["Properties"])

    def change(self, prefix: str, kind: str, **properties: Any) -> None:  # noqa: ANN401 - CloudFormation's
        for name, resource in self.template["Resources"].items():
            if name.startswith(prefix) and resource["Type"] == kind:
                resource["Properties"] |= properties
                return
        raise AssertionError(prefix)

    def add(self, file: str, new: str, text: str) -> None:
        """Add another file to the asset that has this one; its name changes with its content."""
        for asset in self.manifest["files"].values():
            source = self.folder / asset["source"]["path"]
            if (source / file).is_file():
                (source / new).write_text(text)
                self._rename(asset)
                return
        raise AssertionError(file)

    def write(self) -> Path:
        (self.folder / f"{STACK}.template.json").write_text(json.dumps(self.template))
        for asset in self.manifest["files"].values():
            if asset["source"]["path"].endswith(".template.json"):
                self._rename(asset)
        (self.folder / f"{STACK}.assets.json").write_text(json.dumps(self.manifest))
        return self.folder

    def _rename(self, asset: dict[str, Any]) -> None:
        for destination in asset["destinations"].values():
            old, new = destination["objectKey"], f"{time.monotonic_ns()}-{destination['objectKey']}"
            destination["objectKey"] = new
            self.template = json.loads(json.dumps(self.template).replace(old, new))


def changed(assembly: Path, folder: Path) -> Changed:
    shutil.copytree(assembly, folder)
    template = json.loads((folder / f"{STACK}.template.json").read_text())
    manifest = json.loads((folder / f"{STACK}.assets.json").read_text())
    return Changed(folder, template, manifest)
