"""Print the OpenAPI document: `python -m api.openapi > functions/api/openapi.json` (or `make openapi`)."""

import json

from api.app import create_app
from api.settings import ApiSettings
from logstats.settings import DatabaseSettings


def document() -> str:
    """Return the document of this code as indented JSON; no database is needed."""
    app = create_app(DatabaseSettings(url="postgresql://reader@localhost/logstats"), ApiSettings(auth="none"))
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(document(), end="")
