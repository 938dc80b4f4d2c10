"""Blocks of log lines, most of them nearly right: food for the differential tests."""

import random
from datetime import date, timedelta

DATES = (
    "1969-12-31", "1970-01-01", "2199-12-31", "2200-01-01", "2000-02-29", "2024-02-29", "2023-02-29",
    "2100-02-29", "2100-03-01", "1900-02-29", "2024-02-30", "2024-04-31", "2024-12-31", "0000-00-00",
    "0000-01-01", "0001-01-01", "9999-12-31", "2024-00-10", "2024-13-01", "2024-09-00", "2024-09-32",
    "2024-9-03", "2024-09-3", "2024/09/03", "20240903", "+024-09-03", "2024-W36-2", "12024-09-03",
    "2024-09-0:", "202/-09-03", "2024-0\t-03", "2024-09-03T", "\u0662\u0660\u0662\u0664-09-03", "",
)  # fmt: skip
TIMES = (
    "00:00:00", "23:59:59", "23:59:60", "24:00:00", "29:00:00", "00:60:00", "12:5:00", "1:00:00",
    "12-00-00", "12:00:0a", "12:00:0:", "12:00:00.0", "12:00:00Z", "1200:00:", "12:00", "\u0662\u0663:00:00", "",
)  # fmt: skip
CUSTOMERS = (
    "c", "cust_1", "cust_12", "cust_123", "x" * 15, "x" * 16, "x" * 17, "x" * 254, "x" * 255, "x" * 256,
    "é" * 127, "é" * 255, "é" * 256, "😀" * 255, "😀" * 256, "kündin", "a\u00a0b", "a\u2028b", "a\u200bb",
    "\ufeffc", "a\x85b", "\x80", "a\x9f", "\xa0", "a\x7fb", "a\tb", "\0", "a\0b", "a\x1fb", "a\rb", "~", "!",
    "ab\x7f", "abcdefg\x7f", "",
)  # fmt: skip
PATHS = (
    "/", "/a", "/api/v1/resource1", "/ä", "/a\u00a0b", "/a\x85", "/a\x7fb", "/a\tb", "/\0", "/a\rb", "a", "",
    "\\a", "//", "/" + "p" * 6, "/" + "p" * 7, "/" + "p" * 8, "/" + "p" * 32_767, "/" + "p" * 32_768,
)  # fmt: skip
STATUSES = (
    "100", "199", "200", "301", "399", "400", "499", "500", "599", "600", "999", "099", "000", "20", "2000",
    "2o0", "-20", "+20", "2.0", "\u0662\u0660\u0660", " 20", "/00", ":00", "",
)  # fmt: skip
DURATIONS = (
    "0", "0.0", "00", "000000", "0000001", "1", "12", "0.5", ".5", "5.", ".", "", "-1", "+1", "1e3", "nan",
    "inf", "0x1", "1,5", "1_0", "1.2.3", "1..2", ".5.", "0.001", "0.0010000", "7.999", "8.0", "8.001",
    "16.383", "16.384", "16.777", "16.778", "99.999999", "86399", "86399.999999", "86399.9999995",
    "86399.9999999", "86399.99999949", "86400", "86400.0", "86400." + "0" * 40, "86400.5", "86400.000001", "86400.0000001",
    "86400." + "0" * 40 + "1", "86401", "086400", "0" * 40 + "86400", "100000", "99999", "999999",
    "18446744073709551616", "1" + "0" * 60, "0.0000005", "0.0000015", "0.0000025", "0.0000004999",
    "0.00000050000000000000000000000000000000001", "0.0000015000000000000000000000000000000000000",
    "0.9999995", "0.9999985", "0.99999949999999999999999999999999999", "1.1234565", "1.1234575", "1.12345651",
    "12345.123456", "12345.1234567", "1.123456", "1.1234560", "0.1 ", "\u0660.\u0665", "1\x85", "1\t", "1\0", "0.5\x0c",
    "²", "1/", "1:", "0./", "0.:",
)  # fmt: skip
GLUE = (b"\t", b"  ", b"\xc2\xa0", b"\xe3\x80\x80", b"", b"\0", b"\x1f", b",")
ENDS = (
    b"\r\n",
    b"\n\n",
    b"\r\r\n",
    b"\n\r\n",
    b" \n",
    b"\r",
    b"",
    b"\0\n",
    b"\x85\n",
    b"\xc2\x85\n",
    b"\x0b\n",
)
PIECES = (
    b"\n", b"\r\n", b"\r", b" ", b"\0", b"\x7f", b"\x80", b"\xff", b"\xc2", b"\xc2\x85", b"\xc0\x80", b"\xe0\x80\x80",
    b"\xed\xa0\x80", b"\xed\x9f\xbf", b"\xf0\x80\x80\x80", b"\xf4\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5", b"\xe2\x82",
    b"\xef\xbb\xbf", "é".encode(), "😀".encode(), b"0", b"9", b".", b"/", b":", b"-", b"a", b"\t",
)  # fmt: skip
LONG = (65_535, 65_536, 65_537, 65_538)


def _plain(rng: random.Random, days: int, customers: int) -> list[str]:
    """The six fields of a valid line."""
    return [
        str(date(2023, 12, 31) + timedelta(rng.randrange(days))),
        f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}",
        f"cust_{rng.randint(1, customers)}",
        f"/api/v1/resource{rng.randint(1, 4)}",
        rng.choice(("200", "201", "400", "404", "500", "503")),
        f"{rng.random() * rng.choice((0.01, 2, 20, 90_000)):.{rng.choice((0, 1, 3, 6, 7, 9))}f}",
    ]


def line(rng: random.Random, days: int, customers: int) -> bytes:
    """One line with its end: half the time plain, else with one or several things unusual."""
    fields = _plain(rng, days, customers)
    if rng.random() < 0.5:
        return " ".join(fields).encode() + b"\n"
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        place = rng.randrange(6)
        fields[place] = rng.choice((DATES, TIMES, CUSTOMERS, PATHS, STATUSES, DURATIONS)[place])
    act = rng.random()
    if act < 0.1:
        a, b = rng.sample(range(6), 2)
        fields[a], fields[b] = fields[b], fields[a]
    elif act < 0.2:
        del fields[rng.randrange(6)]
    elif act < 0.3:
        fields.insert(rng.randrange(7), rng.choice(("", "x", fields[rng.randrange(6)])))
    elif act < 0.31:
        fields[3] = "/" + "p" * (rng.choice(LONG) - sum(len(field.encode()) for field in fields) + 11)
    text = " ".join(fields).encode()
    if rng.random() < 0.1:
        text = text.replace(b" ", rng.choice(GLUE), rng.choice((1, 5)))
    return text + (rng.choice(ENDS) if rng.random() < 0.3 else b"\n")


def _mutate(rng: random.Random, data: bytearray) -> None:
    """Flip, delete, insert or move a few bytes somewhere."""
    at = rng.randrange(len(data) + 1)
    act = rng.randrange(5)
    if act == 0 and at < len(data):
        data[at] ^= 1 << rng.randrange(8)
    elif act == 1:
        del data[at : at + rng.choice((1, 1, 2, 8, 60))]
    elif act == 2:
        data[at:at] = rng.choice(PIECES)
    elif act == 3:
        source = rng.randrange(len(data) + 1)
        data[at:at] = data[source : source + rng.choice((1, 8, 40, 200))]
    else:
        data[at : at + 1] = bytes([rng.randrange(256)])


def block(seed: int, lines: int) -> bytes:
    """About `lines` lines (mutations may join or split some); the last may lack its LF."""
    rng = random.Random(seed)
    days, customers = rng.choice((1, 3, 672)), rng.choice((1, 4))
    data = bytearray(b"".join(line(rng, days, customers) for _ in range(lines)))
    for _ in range(rng.choice((0, lines // 8, lines))):
        _mutate(rng, data)
    if rng.random() < 0.3:
        del data[len(data) - rng.randrange(min(len(data), 70) + 1) :]
    return bytes(data)
