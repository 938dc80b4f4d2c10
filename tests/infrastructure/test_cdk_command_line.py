"""The CDK command line is pinned in one place, and documents name the same version."""

import json
import re

from cdk import ROOT

WANTED = json.loads((ROOT / "package.json").read_text())["devDependencies"]["aws-cdk"]
DOCUMENTS = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]


def test_trap_13_the_version_is_exact_and_locked_and_no_registry_is_named() -> None:
    assert re.fullmatch(r"2\.\d+\.\d+", WANTED)
    lock = json.loads((ROOT / "package-lock.json").read_text())
    package = lock["packages"]["node_modules/aws-cdk"]
    assert package["version"] == WANTED
    assert package["integrity"].startswith("sha512-")
    assert "resolved" not in json.dumps(lock)


def test_documents_name_this_version_or_leave_it_to_make() -> None:
    named = [
        (document.name, version)
        for document in DOCUMENTS
        for version in re.findall(r"aws-cdk@([\d.]+\d)", document.read_text())
    ]
    assert {version for _, version in named} == {WANTED}
    assert not [
        document.name for document in DOCUMENTS if re.search(r"npx (cdk|aws-cdk) ", document.read_text())
    ]
