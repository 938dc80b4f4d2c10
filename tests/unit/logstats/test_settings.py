"""Settings: secure unless said otherwise, and one clear line when malformed."""

import datetime as dt
from pathlib import Path

import pytest

from logstats.native import Kept
from logstats.settings import DatabaseSettings, SettingsError, load
from processor.settings import ProcessorSettings

WAIT = "WAIT_FOR_SYSTEM_DURATION"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = "REJECTS_BUCKET", "REJECTS_FOLDER", "DATABASE_URL", "DATABASE_TLS", "DATABASE_IAM_AUTH"
    for name in (WAIT, *variables):
        monkeypatch.delenv(name, raising=False)


def refusal(kind: type[DatabaseSettings | ProcessorSettings]) -> str:
    with pytest.raises(SettingsError) as raised:
        load(kind)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_without_a_wait_the_clock_waits_for_ever() -> None:
    settings = load(ProcessorSettings)
    assert settings.wait_for_system_duration == dt.timedelta.max
    assert (settings.rejects_bucket, settings.rejects_folder) == (None, Path(".local/rejected"))


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("0", dt.timedelta(0)),
        ("86400", dt.timedelta(days=1)),
        ("1.5", dt.timedelta(seconds=1.5)),
        ("PT0S", dt.timedelta(0)),
        ("PT1H", dt.timedelta(hours=1)),
        ("P1DT30M", dt.timedelta(days=1, minutes=30)),
        ("P2W", dt.timedelta(weeks=2)),
        ("86399999999999", dt.timedelta(999_999_999, 86_399)),
    ],
)
def test_a_wait_is_seconds_or_iso_8601(
    text: str, wait: dt.timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(WAIT, text)
    assert load(ProcessorSettings).wait_for_system_duration == wait


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5 ",
        *"-5 +5 -PT1H P-1D P PT PT1X 1h 01:00:00 1e3 inf nan 1_0 ٣ 86400000000000 P9999999999D".split(),
        "9" * 400,
    ],
)
def test_a_malformed_wait_is_one_clear_error(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WAIT, text)
    assert refusal(ProcessorSettings).startswith(f"{WAIT}: ")


def test_the_error_says_what_form_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WAIT, "an hour")
    wanted = "give a number of seconds or an ISO 8601 duration, such as 0, 86400 or PT1H"
    assert refusal(ProcessorSettings) == f"{WAIT}: {wanted}"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("IGNORE", "*/", "IGNORE: give a JSON list"),
        ("IGNORE", '"*/"', "IGNORE: give a JSON list"),
        ("LOG_FORMATS", "{}", "LOG_FORMATS: give a JSON list"),
        ("LOG_FORMATS", '[{"prefx": "a"}]', "LOG_FORMATS.0.PREFX: Extra inputs are not permitted"),
        ("LOG_FORMATS", '[{"format": "nope"}]', "LOG_FORMATS.0: 'nope' is neither a file nor a preset: "),
    ],
)
def test_lists_are_json(name: str, text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, text)
    assert refusal(ProcessorSettings).startswith(message)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (None, 7),
        ("", 0),
        ("slots", 1),
        (" statuses , slots ", 5),
        ('["routes"]', 2),
        ("slots,slots", 1),
        ("slots,routes,statuses", 7),
    ],
)
def test_what_is_broken_down_is_a_list_of_words(
    text: str | None, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text is not None:
        monkeypatch.setenv("BREAKDOWN", text)
    assert load(ProcessorSettings).kept == Kept(parts)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("BREAKDOWN", "hours", "BREAKDOWN.0: Input should be 'slots', 'routes' or 'statuses'"),
        ("ROUTES", "/v1/orders", "ROUTES: give a JSON list"),
        ("ROUTES", '["orders"]', "ROUTES: 'orders' is neither /PATH nor METHOD /PATH"),
        ("ROUTES", '["/a/{b}", "/a/{c}"]', "ROUTES: '/a/{b}' and '/a/{c}' match the same requests"),
    ],
)
def test_what_cannot_be_broken_down_is_one_clear_error(
    name: str, text: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, text)
    assert refusal(ProcessorSettings) == message


def test_a_database_is_reached_securely_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@h:5432/n")
    settings = load(DatabaseSettings)
    assert (settings.tls, settings.iam_auth) == ("verify-full", True)


def test_a_missing_url_is_named() -> None:
    assert refusal(DatabaseSettings) == "DATABASE_URL: Field required"


def test_all_that_is_malformed_is_named_and_no_secret_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://u:secret@h/n")  # pragma: allowlist secret - of nobody
    monkeypatch.setenv("DATABASE_TLS", "no")
    monkeypatch.setenv("DATABASE_IAM_AUTH", "maybe")
    message = refusal(DatabaseSettings)
    assert all(name in message for name in ("DATABASE_URL: ", "DATABASE_TLS: ", "DATABASE_IAM_AUTH: "))
    assert "secret" not in message
