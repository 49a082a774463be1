"""A bar chart as SVG text."""

from __future__ import annotations

from html import escape

COLOURS = ("#9aa5b1", "#e4572e", "#4e79a7", "#76b7b2", "#b07aa1")
BAR, GAP, LEFT, WIDTH = 11, 14, 190, 520


def chart(title: str, rows: dict[str, dict[str, float]]) -> str:
    """Groups of horizontal bars, a group for each row and a colour for each way."""
    ways = list(dict.fromkeys(way for row in rows.values() for way in row))
    most = max(value for row in rows.values() for value in row.values())
    height = 60 + sum(len(row) * BAR + GAP for row in rows.values())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 70}" height="{height}" '
        'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="18" font-size="14">{escape(title)}</text>',
    ]
    for index, way in enumerate(ways):
        x = 10 + index * 120
        parts.append(f'<rect x="{x}" y="28" width="10" height="10" fill="{COLOURS[index]}"/>')
        parts.append(f'<text x="{x + 15}" y="37">{escape(way)}</text>')
    y = 52
    for name, row in rows.items():
        parts.append(f'<text x="10" y="{y + len(row) * BAR / 2 + 4}">{escape(name)}</text>')
        for way, value in row.items():
            length = max(1.0, value / most * WIDTH)
            colour = COLOURS[ways.index(way)]
            parts.append(
                f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR - 1}" '
                f'fill="{colour}"/><text x="{LEFT + length + 4:.1f}" y="{y + 9}" font-size="9">'
                f"{value:.2f}</text>"
            )
            y += BAR
        y += GAP
    return "\n".join([*parts, "</svg>", ""])
