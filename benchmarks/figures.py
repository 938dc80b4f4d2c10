"""Tables and bars, and the pages between whose marks they stand."""

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

MACHINE = (
    f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()}, CPython {platform.python_version()}"
)


def rewritten(page: str, figures: str, name: str = "figures") -> str:
    """Return a page with new figures between the marks of that name."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, rest = page.split(begin)
    return f"{before}{begin}\n\n{figures}\n\n{end}{rest.split(end)[1]}"


def renew(path: Path, figures: str, name: str = "figures") -> None:
    """Replace the figures of a page."""
    path.write_text(rewritten(path.read_text("utf-8"), figures, name), "utf-8")


def table(*rows: Sequence[str]) -> str:
    """Return rows as Markdown, the first as their header; all columns but the first have numbers."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"|---|{'--:|' * (len(rows[0]) - 1)}", *lines[1:]])


def bars(title: str, values: Mapping[str, float], digits: int = 0) -> str:
    """Return bars as SVG; those of this project have a colour."""
    scale = 380 / max(values.values())
    lines = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {50 + 30 * len(values)}" '
            'font-family="sans-serif" font-size="14"><rect width="100%" height="100%" fill="#fff"/>'
        ),
        f'<text x="10" y="24" font-weight="bold">{title}</text>',
    ]
    for number, (name, value) in enumerate(values.items()):
        y, width = 40 + 30 * number, max(1, value * scale)
        colour = "#1f77b4" if name.startswith("logstats") else "#aaa"
        lines.append(
            f'<text x="280" y="{y + 16}" text-anchor="end">{name}</text>'
            f'<rect x="290" y="{y}" width="{width:.0f}" height="22" fill="{colour}"/>'
            f'<text x="{296 + width:.0f}" y="{y + 16}">{value:,.{digits}f}</text>'
        )
    return "\n".join([*lines, "</svg>\n"])
