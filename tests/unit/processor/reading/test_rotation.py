import pytest

from processor.reading.rotation import base_name


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("access.log", "access.log"),
        ("access.log.1", "access.log"),
        ("access.log.12.gz", "access.log"),
        ("access.log-20240903", "access.log"),
        ("access.log-20240903.zst", "access.log"),
        ("access.log-20240903-1725408000.bz2", "access.log"),
        ("access.log-2024090312", "access.log"),
        ("access.log.2024-09-03", "access.log"),
        ("access.log.2024-09-03_12-30.xz", "access.log"),
        ("access_log.2024.09.03", "access_log"),
        ("access_log.1725408000", "access_log"),
        ("access_log-20240903.gz", "access_log"),
        ("localhost_access_log.2024-09-03.txt", "localhost_access_log.txt"),
        ("app-20240903.log", "app.log"),
        ("app.1.log", "app.log"),
        ("app-2024-09-03-1.log.gz", "app.log"),
        ("app-2024-11-04T18-30-00.000.log", "app.log"),
        ("app_20240903.log", "app.log"),
        ("app.log.gz", "app.log"),
        ("u_ex240903.log", "u_ex240903.log"),
        ("20240903.log", "20240903.log"),
        ("api-v2.log", "api-v2.log"),
        ("messages", "messages"),
        ("messages.1", "messages"),
        (".gz", ".gz"),
        ("1", "1"),
    ],
)
def test_what_rotation_adds_to_a_name_is_no_part_of_it(name: str, base: str) -> None:
    assert base_name(name) == base
