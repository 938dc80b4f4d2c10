"""How tests are spread over workers: those of a file to one, and so those of files that share what is dear to start."""

from xdist.scheduler import LoadScopeScheduling

SHARING = (
    "tests/browser/",  # a database with logs, and an API
    "tests/integration/local/cloud/",  # an emulator
    "tests/infrastructure/",  # jsii
)


class SharingScheduler(LoadScopeScheduling):
    """Gives a worker all tests of a folder of `SHARING`, or else of a file."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return next(filter(path.startswith, SHARING), path)
