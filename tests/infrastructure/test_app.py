"""The app: offline, with its own Node, and one clear error for a wrong context."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cdk import ROOT, app
from cdk.elf import machine
from tests.infrastructure.templates import assembly, environment_of, load


def test_synthesis_needs_no_node_no_docker_no_network_and_no_account(tmp_path: Path) -> None:
    """And it gives the same as any other synthesis. (The layers' packages are in uv's cache after setup.)"""
    nowhere = "http://127.0.0.1:9"
    result = subprocess.run(
        [sys.executable, "-m", "cdk.app", "-c", "environment=dev", "--output", str(tmp_path / "out")],
        cwd=ROOT,
        env={
            "HOME": os.environ["HOME"],
            "PATH": str(tmp_path),
            "HTTP_PROXY": nowhere,
            "HTTPS_PROXY": nowhere,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    for name in ("logstats-dev.template.json", "logstats-dev.assets.json"):
        assert (tmp_path / "out" / name).read_text() == (assembly("dev") / name).read_text()


def test_the_context_of_the_cdk_command_line_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CDK_CONTEXT_JSON", '{"environments": {}}')
    monkeypatch.setenv("CDK_OUTDIR", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["cdk.app"])
    with pytest.raises(SystemExit, match=r"^error: the context has no environments; cdk\.json defines them$"):
        app.main()


def test_an_option_without_a_value_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["cdk.app", "-c", "auth"])
    with pytest.raises(SystemExit, match=r"^error: -c auth: give key=value$"):
        app.main()


def test_the_image_is_built_from_what_its_dockerfile_copies_and_nothing_else() -> None:
    folder = assembly("dev")
    manifest = json.loads((folder / "logstats-dev.assets.json").read_text())
    (image,) = manifest["dockerImages"].values()
    context = folder / image["source"]["directory"]
    assert (context / image["source"]["dockerFile"]).is_file()
    folders = {path.relative_to(context).parts[:2] for path in context.rglob("*") if path.is_file()}
    assert folders == {(".dockerignore",), ("functions", "processor"), ("layers", "logstats")}
    assert not [path for path in context.rglob("*") if path.suffix in {".so", ".dylib", ".pyc"}]


@pytest.mark.parametrize(
    ("variant", "architecture", "elf_machine"),
    [("prod, existing bucket", "x86_64", "x86_64"), ("dev", "arm64", "aarch64")],
)
def test_functions_layers_and_image_are_of_the_chosen_architecture(
    variant: str, architecture: str, elf_machine: str
) -> None:
    folder, stack = assembly(variant), f"logstats-{environment_of(variant)}"
    template = load(folder / f"{stack}.template.json")
    of_kind = {
        kind: [each["Properties"] for each in template["Resources"].values() if each["Type"] == kind]
        for kind in ("AWS::Lambda::Function", "AWS::Lambda::LayerVersion")
    }
    ours = [each for each in of_kind["AWS::Lambda::Function"] if "DATABASE_URL" in json.dumps(each)]
    assert len(ours) >= 3
    assert {each["Architectures"][0] for each in ours} == {architecture}
    keys = [each["Content"]["S3Key"].partition(".")[0] for each in of_kind["AWS::Lambda::LayerVersion"]]
    assert len(keys) == 3
    for key in keys:
        machines = {machine(path) for path in (folder / f"asset.{key}").rglob("*") if path.is_file()}
        assert machines - {None} == {elf_machine}
    (image,) = json.loads((folder / f"{stack}.assets.json").read_text())["dockerImages"].values()
    assert image["source"]["platform"] == {"x86_64": "linux/amd64", "arm64": "linux/arm64"}[architecture]


def test_the_base_of_the_image_can_be_given_by_digest() -> None:
    builds = {}
    for variant in ("dev", "prod, existing bucket"):
        manifest = assembly(variant) / f"logstats-{environment_of(variant)}.assets.json"
        (image,) = json.loads(manifest.read_text())["dockerImages"].values()
        builds[variant] = image["source"].get("dockerBuildArgs")
    assert builds.pop("dev") is None, "it is the Dockerfile's own"
    assert builds.popitem()[1] == {"BASE_IMAGE": f"public.ecr.aws/lambda/python@sha256:{64 * '0'}"}
