"""Random declarations of formats, and blocks of lines for any declaration: food for the differential tests."""

import json
import random
from collections.abc import Callable, Iterable

from logstats.domain.format import PATH, TARGET, Format
from logstats.domain.notation import Hole, Template, parse_path
from tests.blocks import CUSTOMERS, DATES, DURATIONS, PIECES, STATUSES, TIMES

ZONES = (
    "",
    "Z",
    " Z",
    "+00",
    "+02:00",
    "-0330",
    " +0200",
    "+23:59",
    "+24:00",
    "+2",
    "z",
    " ",
    "+02:60",
    "-00:00",
)
FRACTIONS = ("", "", ".5", ".123456", ",25", ".123456789123", ".", ".x", ".000000001")
EPOCHS = (
    "1725364801", "1725364801.417", "1725364801417", "1.725364801417e9", "1725364801417000", "1725364801417000123",
    "0", "0.0000000019", "7258118399", "7258118400", "7258118399999", "7258118400000", "1e400", "1e-400", "-1", "+5",
    "17253648010000000000000", "5.", ".5", ".", "1E9", "1e+9", "1e", "1725364801.4170000000000000000000000000000001",
    "9" * 40, "0" * 30 + "1725364801", "1725364801417e-3", "0e99999999999999999999", "1e99999999999999999999",
)  # fmt: skip
NUMBERS = (
    "0", "12", "0.012", "1.5e2", "9.05e-05", "5.0E-4", "5.", ".5", "1e", "e5", "12ms", "0.5s", "18us", "7ns", "9µs", "30m",
    "s", "ms", "µs", "1e3ms", "4.5us", "0.0005us", "2.5e-7s", "-1", "-1", "-", "", "86400", "86400000", "86400.5", "1e-1000000000000", "1e1000000000",
    "12345678901234567890", "0.00000050000000000000000000000000000000000001", "0.5000000000000000000", "1.5", "2.5", "500", "1500", "2500",
    "86399999999.5", "86400000000", "86400000000.1", "1_0", "0x1", "nan", "43200.0000005", "43200000000",
)  # fmt: skip
ADDRESSES = (
    "/", "/v1/orders", "/v1/orders?page=2&key=k1#f", "/a b/c", "https://acme.api.example.com:443/v1/orders?expand=lines",
    "https://acme.example.com", "http://u:p@globex.example.com:8080?key=k2&key=k3", "http://[2001:db8::7]:80/x", "HTTP://h/", "http://192.0.2.7/", "http://a.7b/",
    "acme.example.com:443", "user@host:1/path", "[::1]:80", "[::1", "a.b.c", ".", "..", "/?key", "/?key=&key=2", "/?xkey=1&key=3",
    "/#?key=4", "?key=5", "*", "-", "", "http:///x", "http://#f", "1http://x/", "h+t.t-p://x.y/z", "://x", "http:/x", "//x/y",
    "EXAMPLE\\acme", "arn:aws:iam::111122223333:user/acme", "acme|b|c", "|", "/a/b/c/", "/\x7f", "/ü/é", "/?key=ü", "/\u0085", "@", "a@b@c.d:5", "- -", "a b@c.d/e f",
    '/a\\"b', '"quoted"', '"', '""', "x" * 255 + ".y", "/" + "x" * 256, "é" * 255, "é" * 256,
)  # fmt: skip
METHODS = ("GET ", "POST ", "", "GET", " ", "- ")
PROTOCOLS = (" HTTP/1.1", " HTTP/2.0", "", " ", "-")
FILLERS = (
    "x",
    "-",
    "0.1",
    "10.0.3.17:8080",
    "",
    "Mozilla/5.0 (X11; Linux)",
    'a\\"b',
    '"',
    "[",
    "]",
    "{}",
    "ü",
    "a=b",
    "\\",
)
PARTS = (
    None, None, "host", "host[0]", "host[-1]", "host[9]", "path[0]", "path[1]", "path[-1]", "query.key", "split(/)[-1]",
    "split(|)[0]", "split(.)[1]", "split(ü)[0]", "split(:)[-2]",
)  # fmt: skip
KEYS = (
    "a",
    "b",
    "c",
    "key_of_8",
    "longer_than_8",
    "longer_than_9",
    "ü",
    "b.c",
    "b.d",
    "b.c.d",
    "e[0]",
    "e[2].a",
    '"b.c"',
    '"a b".c',
    "f[1][0]",
)
_STRUCTURE = (
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"=",
    b" ",
    b"|",
    b"\\u",
    b"\\ud83d",
    b"-",
    b'""',
    b"#Fields: a b\n",
    b"1e5",
    b"null",
)


# ---- Values -----------------------------------------------------------------------------------------


def _timestamp(rng: random.Random, form: str, between: str = "T", *, odd: bool) -> str:
    if form.startswith("epoch"):
        power = {"epoch_s": 0, "epoch_ms": 3, "epoch_us": 6, "epoch_ns": 9}[form]
        usual = str(1_725_321_600 * 10**power + rng.randrange(86_400 * 10**power))
        return rng.choice(EPOCHS) if odd and rng.random() < 0.5 else usual
    day, hour, minute, second = rng.randrange(1, 31), rng.randrange(24), rng.randrange(60), rng.randrange(60)
    date, time = f"2024-09-{day:02}{between}", f"{hour:02}:{minute:02}:{second:02}"
    if form == "clf":
        date = f"{day:02}/{rng.choice(('Sep', 'Nov', 'Feb', 'sep') if odd else ('Sep', 'Jan'))}/2024:"
    if not odd:
        return date + time + rng.choice(("", "Z", ".417"))
    act = rng.random()
    if act < 0.2:
        date = rng.choice(DATES) + rng.choice((" ", "T", "/", ""))
    elif act < 0.4:
        time = rng.choice(TIMES)
    return (
        date
        + time
        + rng.choice(FRACTIONS if act > 0.7 else FRACTIONS[:1])
        + rng.choice(ZONES if act > 0.8 else ZONES[:1])
    )


def _put_duration(
    rng: random.Random, declared: Format, put: Callable[..., None], choose: Callable[..., str], *, odd: bool
) -> None:
    duration = declared.duration
    if duration is None:
        return
    unit = rng.choice(("ms", "s")) if duration.unit == "suffix" and rng.random() < 0.9 else ""
    for name in duration.value or ():
        put(name, choose(("12", "0.048", "231"), NUMBERS, DURATIONS), unit)
    for end in (duration.start, duration.end):
        put(end, _timestamp(rng, duration.form or "epoch_s", odd=odd))


def _values(rng: random.Random, declared: Format, *, odd: bool) -> dict[str, str]:
    """Return a text for each value that the declaration names; good ones, if they shall not be odd."""
    values: dict[str, str] = {}

    def put(name: str | None, *texts: str | tuple[str, ...]) -> None:
        """Join one of each; the first group is good."""
        if name and name not in (TARGET, PATH):
            values[name] = "".join(rng.choice(text) if isinstance(text, tuple) else text for text in texts)

    def choose(good: tuple[str, ...], *others: tuple[str, ...]) -> str:
        return rng.choice(rng.choice((good, *others)) if odd else good)

    for name in declared.customer.value:
        put(name, choose(("cust_1", "acme", "acme.x", "-"), CUSTOMERS, ADDRESSES, FILLERS))
    stamps = declared.timestamp.value
    text = _timestamp(rng, declared.timestamp.form, "T" if len(stamps) == 1 else " ", odd=odd)
    pieces = text.split(" ", len(stamps) - 1)
    for place, name in enumerate(stamps):
        put(name, pieces[place] if place < len(pieces) else rng.choice(FILLERS))
    put(
        declared.status.value,
        choose(("200", "404", "503", "101"), STATUSES, declared.status.closed or ("-",)),
    )
    _put_duration(rng, declared, put, choose, odd=odd)
    if declared.request:
        address = choose(ADDRESSES[:6], ADDRESSES)
        put(declared.request.method, choose(METHODS[:2], METHODS).strip())
        put(declared.request.target, address)
        put(declared.request.value, choose(METHODS[:2], METHODS), address, choose(PROTOCOLS[:2], PROTOCOLS))
    asked = [(name, globs) for name, globs in declared.only.items() if name not in values or globs != ("*",)]
    for name, globs in asked:
        put(name, rng.choice(globs).replace("*", rng.choice(("", "GET.X", "ü"))).replace("?", "x"))
    for name in list(values):
        if odd and rng.random() < 0.05:
            del values[name]
    return values


# ---- Lines ------------------------------------------------------------------------------------------


def _fill(rng: random.Random, holes: Iterable[Hole], values: dict[str, str], *, odd: bool) -> bytes:
    out = b""
    for hole in holes:
        text = values.get(hole.name or "", rng.choice(FILLERS if odd else FILLERS[:4])).encode()
        if not hole.quoted and hole.until and not (odd and rng.random() < 0.1):
            text = text.replace(hole.until, b"_")
        if hole.quoted and not (odd and rng.random() < 0.1):
            text = text.replace(b'"', b'\\"')
        quoted = hole.quoted and (text != b"-" or rng.random() < 0.5)
        out += (b'"%b"' % text if quoted else text) + hole.until
    return out


def _of_template(rng: random.Random, template: Template, values: dict[str, str], *, odd: bool) -> bytes:
    rest = rng.choice((b"", b"x", b' - - "a b"', b" ")) if template.rest else b""
    line = template.lead + _fill(rng, template.holes, values, odd=odd) + rest
    until = template.holes[-1].until
    return line.removesuffix(until) if template.rest and rng.random() < 0.3 else line


def _put_at(document: object, path: tuple[str | int, ...], value: object) -> object:
    if not path:
        return value
    first, *rest = path
    if isinstance(first, int):
        items = document if isinstance(document, list) else []
        items += [None] * (first + 1 - len(items))
        items[first] = _put_at(items[first], tuple(rest), value)
        return items
    members = document if isinstance(document, dict) else {}
    members[first] = _put_at(members.get(first), tuple(rest), value)
    return members


def _json(rng: random.Random, values: dict[str, str]) -> bytes:
    document: object = {}
    for name, text in rng.sample(sorted(values.items()), len(values)):
        value: object = text
        if rng.random() < 0.3:
            try:
                value = json.loads(text)
            except ValueError:
                value = text
        document = _put_at(document, parse_path(name), value)
        if rng.random() < 0.1:
            document = _put_at(
                document,
                (rng.choice(("x", "headers", "a", "ü")),),
                rng.choice((None, 1.5, [], {"a": ["\ud83d", {}]}, '\\"')),
            )
    separators = rng.choice(((",", ":"), (", ", ": "), (" ,\t", " :\r ")))
    text = json.dumps(document, ensure_ascii=rng.random() < 0.5, separators=separators)
    if rng.random() < 0.2:
        text = text[:-1] + separators[0] + text[1:]  # every key twice
    return text.encode("utf-8", "surrogatepass")


def _logfmt(rng: random.Random, declared: Format, values: dict[str, str], *, odd: bool) -> bytes:
    pairs = []
    for name, text in rng.sample(sorted(values.items()), len(values)):
        quoted = " " in text or '"' in text or rng.random() < 0.2
        pairs.append(f'{name}="{text.replace(chr(34), chr(92) + chr(34))}"' if quoted else f"{name}={text}")
        if odd and rng.random() < 0.1:
            pairs.append(rng.choice(("word", "=x", 'x="', "a=1", 'k"="v"w=2', "status=200 status=500")))
    prefix = _fill(rng, declared.prefix.holes, values, odd=odd) if declared.prefix else b""
    return (
        (declared.prefix.lead if declared.prefix else b"")
        + prefix
        + rng.choice((" ", "  ", "\t")).join(pairs).encode()
    )


def _header(rng: random.Random, declared: Format) -> bytes:
    names = [*declared.names, "x", "y"]
    if rng.random() < 0.5:
        names = rng.sample(names, len(names))
    if rng.random() < 0.2:
        names = rng.choices(names, k=len(names))
    return (
        b"#Fields:"
        + rng.choice((b" ", b"\t", b""))
        + rng.choice((b" ", b"\t", b"  ")).join(name.encode() for name in names)
    )


def _columns(rng: random.Random, declared: Format, values: dict[str, str], names: list[str]) -> bytes:
    separator = "\t" if declared.separator == "tab" else " "
    cells = [values.get(name, rng.choice(("-", "x", "", '"a"'))) for name in names]
    cells = [cell.replace(separator, "+") if rng.random() < 0.95 else cell for cell in cells]
    if rng.random() < 0.1:
        cells = cells[: rng.randrange(len(cells) + 1)] if rng.random() < 0.5 else [*cells, "more"]
    return separator.join(cells).encode()


def _mutated(rng: random.Random, line: bytes) -> bytes:
    data = bytearray(line)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(data) + 1)
        act = rng.randrange(5)
        if act == 0:
            del data[at : at + rng.choice((1, 1, 3, 20))]
        elif act == 1 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif act == 2:
            source = rng.randrange(len(data) + 1)
            data[at:at] = data[source : source + rng.choice((1, 8, 40))]
        else:
            data[at:at] = rng.choice(_STRUCTURE + PIECES)
    return bytes(data)


def block_of(declared: Format, seed: int, lines: int) -> bytes:
    """About `lines` lines of a format, some of them changed at random; the last may lack its LF."""
    rng = random.Random(seed)
    out, names, mutations = [], list(declared.names), rng.choice((0, 0.1, 0.5))
    if declared.layout == "columns" and rng.random() < 0.9:
        out.append(_header(rng, declared))
    for _ in range(lines):
        odd = rng.random() < 0.5
        values = _values(rng, declared, odd=odd)
        if declared.layout == "text":
            line = _of_template(rng, rng.choice(declared.template), values, odd=odd)
        elif declared.layout == "json":
            line = _json(rng, values)
        elif declared.layout == "logfmt":
            line = _logfmt(rng, declared, values, odd=odd)
        else:
            if rng.random() < 0.05:
                out.append(_header(rng, declared))
            heads = [each for each in out if each.startswith(b"#Fields:")]
            names = heads[-1][8:].decode(errors="replace").split() if heads else names
            line = _columns(rng, declared, values, names)
        if declared.skip and rng.random() < 0.03:
            line = rng.choice(declared.skip).encode() + line
        if rng.random() < mutations:
            line = _mutated(rng, line)
        out.append(line + rng.choice((b"", b"", b"", b"", b"\r", b"\n")))
    return b"\n".join(out) + rng.choice((b"\n", b"\n", b"", b"\r\n"))


# ---- Declarations -----------------------------------------------------------------------------------


def _template(rng: random.Random, names: list[str], *, prefix: bool = False) -> str:
    texts = [" ", " ", " ", "|", ": ", "] ", " - ", "aab", "ü", "}}", "{{"]
    out = rng.choice(("", "", "> ", "ü", "{{"))
    last = len(names) - 1
    for place, name in enumerate(names):
        if rng.random() < 0.2:
            out += "{_}" + rng.choice(texts)
        hole = "{" + name + "}"
        out += f'"{hole}"' if rng.random() < 0.3 else hole
        if place < last or prefix or rng.random() < 0.2:
            out += rng.choice(texts)
    return out if prefix else out + rng.choice(("", "", " {…}"))


def _alternatives(rng: random.Random, names: list[str]) -> list[str]:
    """Templates, which may begin in the same way."""
    names = rng.sample(names, len(names))
    shared = rng.choice((0, 0, *range(1, len(names))))
    start = _template(rng, names[:shared], prefix=True) if shared else ""
    rest = names[shared:]
    return [start + _template(rng, rng.sample(rest, len(rest))) for _ in range(rng.choice((1, 3)))]


def declaration(seed: int) -> Format:
    """A random declaration."""
    rng = random.Random(seed)
    layout = rng.choice(("text", "json", "logfmt", "columns"))
    pool = rng.sample(KEYS if layout == "json" else [f"n{i}" for i in range(10)], 10)

    unused = list(pool)

    def one() -> str:
        """Return a name, nearly always one of its own."""
        return unused.pop() if unused and rng.random() < 0.95 else rng.choice(pool)

    def several(most: int) -> list[str]:
        return [one() for _ in range(rng.choice([1] * 4 + [*range(1, most + 1)]))]

    forms = ("iso8601", "iso8601", "clf", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns")
    declared: dict[str, object] = {
        "layout": layout,
        "timestamp": {
            "value": several(3),
            "form": rng.choice(forms),
            "zone": rng.choice(("+00:00", "+02:00", "-11:30")),
        },
        "status": {
            "value": one(),
            "closed": rng.sample(["-", "", "0", "000", "-1", "200"], rng.randrange(4)),
        },
    }
    customers: list[str] = several(3)
    if rng.random() < 0.7:
        required = rng.random() < 0.3
        declared["request"] = (
            {"value": one(), "required": required}
            if rng.random() < 0.5
            else {"target": one(), "required": required} | ({"method": one()} if rng.random() < 0.5 else {})
        )
        customers = [*rng.sample([TARGET, PATH], rng.randrange(3)), *customers]
    part = rng.choice(PARTS)
    declared["customer"] = {"value": customers} | ({"part": part} if part else {})
    if rng.random() < 0.8:
        declared["duration"] = (
            {"value": several(3), "unit": rng.choice(("s", "ms", "us", "ns", "suffix"))}
            if rng.random() < 0.7
            else {"from": one(), "to": one(), "form": rng.choice(forms)}
        )
    if rng.random() < 0.3:
        declared["skip"] = rng.sample(["#", "//", "a", "ü", "{"], 2)
    if rng.random() < 0.3:
        declared["only"] = {
            one(): rng.choice((["*"], ["a*", "2*"], ["?*"], ["*a*b*", "cust_?", "*.*"], ["200", "acme"]))
        }
    if layout == "text":
        declared["template"] = _alternatives(rng, pool)
    if layout == "columns":
        declared["separator"] = rng.choice(("tab", "space"))
    if layout == "logfmt" and rng.random() < 0.4:
        declared["prefix"] = _template(rng, rng.sample(pool, 2), prefix=True)
    return Format.model_validate(declared)
