"""How tests are spread over workers: those of a file to one, and so those of files that share what is dear to start."""

from xdist.scheduler import LoadScopeScheduling

SHARING = {
    "tests/browser/": "a database with logs, and an API",
    "tests/e2e/test_dead_letters.py": "a cloud",
    "tests/e2e/test_enforced_iam.py": "a cloud",
    "tests/infrastructure/": "jsii",
    "tests/integration/local/cloud/": "an emulator",
}


class SharingScheduler(LoadScopeScheduling):
    """Gives a worker all tests that share a thing of `SHARING`, or else those of a file."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return next((what for start, what in SHARING.items() if path.startswith(start)), path)
