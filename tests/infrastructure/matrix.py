"""Write the templates of all variants into a folder: ``python -m tests.infrastructure.matrix FOLDER``."""

import re
import shutil
import sys
from pathlib import Path

from tests.infrastructure.templates import CHANGES, assembly, environment_of


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    for variant in CHANGES:
        environment = environment_of(variant)
        if environment != "local":  # an emulator's
            template = assembly(variant) / f"logstats-{environment}.template.json"
            shutil.copyfile(template, folder / f"{re.sub(r'[^a-z]+', '-', variant)}.json")


if __name__ == "__main__":
    main()
