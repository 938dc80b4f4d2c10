"""Where a laptop keeps its state: `.local/` in the repository, whatever the current directory."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
STATE = REPOSITORY / ".local"
POSTGRES = STATE / "postgres"
REJECTED = STATE / "rejected"
