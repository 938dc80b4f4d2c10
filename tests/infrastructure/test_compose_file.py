"""`localstack-compose.yml` as a document: none of these needs a daemon."""

import re
import subprocess
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from local.compose import deploy
from tests.docker.compose import FILE, Compose, compose_command
from tests.docker.containers import ROOT, DockerError

DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")


def document() -> dict[str, Any]:
    """The file with every variable at its default."""
    loaded: dict[str, Any] = yaml.safe_load(DEFAULT.sub(r"\1", FILE.read_text(encoding="utf-8")))
    return loaded


SERVICES: dict[str, Any] = document()["services"]


def test_compose_accepts_it() -> None:
    try:
        compose_command()
    except DockerError as error:
        pytest.skip(str(error))  # in Docker's own words
    assert "api:" in Compose("config", {"DOCKER_HOST": "unix:///nonexistent.sock"})("config")


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_is_privileged_open_to_the_network_or_of_an_unpinned_image(name: str) -> None:
    service = SERVICES[name]
    assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid", "devices"}
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert not any("docker.sock" in volume for volume in service.get("volumes", []))
    assert "build" in service or re.fullmatch(r"[\w/]+:\d+\.\d+", service["image"])


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"deploy", "processor"}))
def test_long_running_services_have_health_checks(name: str) -> None:
    """The processor listens to nobody: it asks for work."""
    assert SERVICES[name]["healthcheck"]["test"]


def test_ports_are_those_of_the_documentation_and_localstacks_token_is_passed_through() -> None:
    assert SERVICES["api"]["ports"] == ["127.0.0.1:8888:8888"]
    assert SERVICES["emulator"]["ports"] == ["127.0.0.1:4566:4566"]
    assert "LOCALSTACK_AUTH_TOKEN: ${LOCALSTACK_AUTH_TOKEN:-}" in FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("variable", "dockerfile"),
    [("BASE_IMAGE", "functions/processor/Dockerfile"), ("PYTHON_IMAGE", "local/compose/Dockerfile")],
)
def test_base_images_are_those_of_the_dockerfiles(variable: str, dockerfile: str) -> None:
    text = FILE.read_text(encoding="utf-8")
    found = re.search(
        rf"^ARG {variable}=(\S+)$", (ROOT / dockerfile).read_text(encoding="utf-8"), re.MULTILINE
    )
    assert found
    assert set(re.findall(rf"\$\{{{variable}:-([^}}]*)\}}", text)) == {found[1]}


def test_a_password_may_have_any_characters() -> None:
    """No URL in the file has one, and the template's parameter has it escaped."""
    assert not re.search(r"://[^/\s]*PASSWORD", FILE.read_text(encoding="utf-8"))
    for name in ("processor", "deploy"):
        environment = SERVICES[name]["environment"]
        assert environment["PGPASSWORD"] == SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"]
    password = "p@ss:w/rd?#%40 ü"  # pragma: allowlist secret - of nobody
    url = sa.make_url(deploy.with_password("postgresql://logstats@postgres:5432/logstats", password))
    assert (url.username, url.password, url.host) == ("logstats", password, "postgres")


def test_the_emulator_is_the_locked_one() -> None:
    locked = (ROOT / "local/emulator/requirements.txt").read_text(encoding="utf-8")
    found = re.search(r"^ministack==(\S+)", locked, re.MULTILINE)
    assert found
    assert SERVICES["emulator"]["image"] == f"logstats/emulator:{found[1]}"


def test_no_image_holds_what_git_ignores() -> None:
    """Each build context is a list of what is wanted."""
    for name in (".dockerignore", "local/compose/Dockerfile.dockerignore"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        patterns = [line for line in lines if not line.startswith("#")]
        assert patterns[0] == "*"
        wanted = [line.removeprefix("!") for line in patterns if line.startswith("!")]
        done = subprocess.run(
            ["git", "check-ignore", *wanted], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.stdout == ""
