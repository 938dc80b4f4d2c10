"""The layers: right platform, right version, nothing else, the same bytes every time."""

import platform as platform_
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from cdk import ROOT
from cdk.bundling import BundlingError, dependencies, fetch, logstats_package
from cdk.elf import machine
from cdk.platforms import Platform, host_platform, lambda_platform
from local.postgres import EmbeddedPostgres
from logstats.formats import presets
from logstats.native.build import library_name
from logstats.settings import RDS_CA_FILE, DatabaseSettings
from migrate import schema

API = ROOT / "layers" / "dependencies" / "requirements.txt"
MIGRATE = ROOT / "functions" / "migrate" / "requirements.txt"
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}

Architecture = Literal["x86_64", "arm64"]
architectures = pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
everything = pytest.mark.parametrize("requirements", [API, MIGRATE], ids=["api", "migrate"])


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@architectures
@everything
def test_native_code_is_for_lambda(architecture: Architecture, requirements: Path) -> None:
    folder = dependencies(requirements, lambda_platform(architecture))
    native = {path: machine(path) for path in files(folder) if machine(path)}
    assert set(native.values()) == {MACHINES[architecture]}
    extensions = [path.name for path in native if ".cpython-" in path.name]
    assert extensions
    assert all(".cpython-312-" in name for name in extensions)
    foreign = {".dll", ".dylib", ".exe", ".pyd"}
    assert [path for path in files(folder) if path.suffix in foreign] == []


@architectures
def test_our_own_layer_has_the_kernel_for_lambda_the_database_authorities_and_the_presets(
    architecture: Architecture,
) -> None:
    package = logstats_package(lambda_platform(architecture)) / "python" / "logstats"
    assert machine(package / "native" / library_name("linux")) == MACHINES[architecture]
    assert (package / "rds-ca.pem").read_bytes() == RDS_CA_FILE.read_bytes()
    assert {path.stem for path in (package / "formats").glob("*.toml")} == set(presets())


@architectures
def test_the_layers_stay_small(architecture: Architecture) -> None:
    """Lambda takes 250 MB of a function with its layers, and a cold start reads them."""
    platform = lambda_platform(architecture)
    built = (logstats_package(platform), *(dependencies(each, platform) for each in (API, MIGRATE)))
    for folder, megabytes in zip(built, (1, 40, 50), strict=True):
        assert sum(path.stat().st_size for path in files(folder)) < megabytes * 1e6


@architectures
@everything
def test_nothing_that_no_function_needs(architecture: Architecture, requirements: Path) -> None:
    folder = dependencies(requirements, lambda_platform(architecture))
    assert [
        path for path in files(folder) if path.suffix in {".pyi", ".c", ".h", ".cpp", ".pyx", ".pxd"}
    ] == []
    assert [path for path in files(folder) if path.name in {"RECORD", "INSTALLER", "direct_url.json"}] == []
    assert [
        path for path in folder.rglob("*") if path.name in {"tests", "test", "testing", "bin", "sboms"}
    ] == []
    assert [path for path in folder.rglob("*") if path.name.startswith(".")] == []
    dialects = {path.name for path in folder.glob("python/sqlalchemy/dialects/*/")} - {"__pycache__"}
    assert dialects == ({"postgresql"} if requirements in {API, MIGRATE} else set())
    assert not [*folder.glob("python/aws_lambda_powertools/event_handler")]
    assert sorted(path.name for path in folder.iterdir()) == ["python"]


@everything
def test_bytecode_is_there_for_every_module_if_this_interpreter_can_make_it(requirements: Path) -> None:
    folder = dependencies(requirements, lambda_platform("arm64"))
    sources = [path for path in files(folder) if path.suffix == ".py"]
    compiled = {path.name for path in files(folder) if path.suffix == ".pyc"}
    if sys.version_info[:2] == (3, 12):
        missing = [path for path in sources if f"{path.stem}.cpython-312.pyc" not in compiled]
        assert missing == []
    else:
        assert compiled == set()


def glibc() -> tuple[int, ...]:
    name, version = platform_.libc_ver()
    return tuple(map(int, version.split("."))) if name == "glibc" else (0,)


LAMBDAS_OWN = pytest.param(
    lambda_platform("x86_64"),
    marks=pytest.mark.skipif(
        sys.version_info[:2] != (3, 12) or platform_.machine() != "x86_64" or glibc() < (2, 34),
        reason="needs CPython 3.12 on x86_64 with glibc 2.34, as Lambda has it",
    ),
    id="lambda",
)
platforms = pytest.mark.parametrize("platform", [pytest.param(host_platform(), id="host"), LAMBDAS_OWN])


def run_in(requirements: Path, platform: Platform, folder: Path, code: str, **variables: str) -> str:
    """Run code as in a function: with its layers and our functions, and nothing else of this environment's."""
    layers = [
        str(each / "python") for each in (dependencies(requirements, platform), logstats_package(platform))
    ]
    start = f"import os, sys; sys.path[:0] = {[*layers, str(ROOT / 'functions')]!r}; os.environ.update({variables!r})"
    # -I and -S: neither this environment's packages nor its variables.
    command = [sys.executable, "-I", "-S", "-B", "-c", f"{start}\n{code}"]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@platforms
def test_the_migration_runs_with_its_layers_and_nothing_else(
    platform: Platform, server: EmbeddedPostgres, tmp_path: Path
) -> None:
    """From an empty database to the newest schema, and once more, when there is nothing to do."""
    name = f"layers_{platform.name.replace('-', '_').replace('.', '_')}"
    server.create_database(name)
    connection = {"DATABASE_URL": server.url(name), "DATABASE_TLS": "disable", "DATABASE_IAM_AUTH": "false"}
    code = "import migrate.handler as m, logstats.native; print(m._migrate(60), m._migrate(60))"
    printed = run_in(MIGRATE, platform, tmp_path, code, **connection)
    assert printed.splitlines()[-1] == f"{schema.head()} {schema.head()}"


@platforms
def test_the_api_answers_with_its_layers_and_nothing_else(
    platform: Platform, database: DatabaseSettings, tmp_path: Path
) -> None:
    connection = {
        "DATABASE_URL": database.url,
        "DATABASE_TLS": "disable",
        "DATABASE_IAM_AUTH": "false",
        "API_AUTH": "none",
    }
    event = {
        "version": "2.0",
        "rawPath": "/customers/cust_1/stats",
        "rawQueryString": "from=2024-09-03",
        "headers": {},
        "requestContext": {
            "http": {"method": "GET", "path": "/customers/cust_1/stats", "sourceIp": "192.0.2.1"},
            "requestId": "id=",
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }
    code = f"""
from types import SimpleNamespace
import api.handler
context = SimpleNamespace(
    function_name="api", memory_limit_in_mb=256, invoked_function_arn="arn:aws:lambda:x", aws_request_id="1"
)
answer = api.handler.handler({event!r}, context)
print(answer["statusCode"], answer["body"])
"""
    assert run_in(API, platform, tmp_path, code, **connection).splitlines()[-1] == "200 []"


def test_layers_built_offline_in_another_folder_are_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Once `make setup` has fetched the packages."""
    platform = lambda_platform("arm64")
    usual = dependencies(API, platform), logstats_package(platform)
    fetch()
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    again = dependencies(API, platform, tmp_path / "x"), logstats_package(platform, tmp_path / "x")
    for one, other in zip(usual, again, strict=True):
        assert one.name == other.name
        contents = [
            {path.relative_to(folder): path.read_bytes() for path in files(folder)} for folder in (one, other)
        ]
        assert contents[0] == contents[1]


def test_an_unknown_package_is_one_clear_error(tmp_path: Path) -> None:
    requirements = tmp_path / "broken" / "requirements.txt"
    requirements.parent.mkdir()
    requirements.write_text("boto3==1.44.5 --hash=sha256:" + "0" * 64 + "\n")
    with pytest.raises(BundlingError, match="no trusted hash was provided"):
        dependencies(requirements, host_platform(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["broken"]


def test_trap_14_no_old_release_is_picked_for_want_of_a_platform_tag(tmp_path: Path) -> None:
    """uv takes what glibc 2.34 can load, so every package has the locked version."""
    locked = {
        line.split("==")[0].split("[")[0].lower().replace("_", "-"): line.split("==")[1].split()[0]
        for line in API.read_text().splitlines()
        if "==" in line
    }
    for platform in (lambda_platform("x86_64"), lambda_platform("arm64")):
        folder = dependencies(API, platform) / "python"
        installed = dict(_distributions(folder))
        assert installed
        assert installed.items() <= locked.items()


def _distributions(folder: Path) -> Iterator[tuple[str, str]]:
    for path in folder.glob("*.dist-info"):
        name, _, version = path.name.removesuffix(".dist-info").rpartition("-")
        yield name.lower().replace("_", "-"), version


def test_trap_15_no_docker_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert logstats_package(lambda_platform("arm64"), tmp_path / "cache").is_dir()
