import re
from pathlib import Path

import pytest

from api.settings import ApiSettings
from logstats.settings import SettingsError, load

GATEWAY_SECONDS = 30
AURORA_RESUME_SECONDS = 15


def test_trap_09_the_answer_comes_before_api_gateway_gives_up() -> None:
    assert ApiSettings().answer_seconds < GATEWAY_SECONDS / 2
    with pytest.raises(SettingsError, match="API_ANSWER_SECONDS"):
        load(ApiSettings, answer_seconds=GATEWAY_SECONDS)


def test_trap_09_who_asks_again_finds_aurora_resumed() -> None:
    settings = ApiSettings()
    assert settings.answer_seconds + settings.retry_after_seconds > AURORA_RESUME_SECONDS


def test_trap_07_one_environment_has_one_connection() -> None:
    assert ApiSettings().pool_size == 1


def test_every_setting_is_documented_with_its_default() -> None:
    page = (Path(__file__).parents[3] / "docs" / "api.md").read_text("utf-8")
    for name, field in ApiSettings.model_fields.items():
        assert re.search(rf"\| `API_{name.upper()}` \| {re.escape(str(field.default or '(none)'))}", page), (
            name
        )
