"""What both plots are drawn with: a canvas, its colours, and text that fits."""

from __future__ import annotations

from registry.certificates.markup import Markup, element, joined, text
from registry.certificates.text import plain, shorten

WIDTH = 460.0
"""Units of the view box. With letters of 12 units a screen of 380 pixels still shows them 9 pixels high."""

STYLE = """
.conch-plot{display:block;width:100%;height:auto;font:12px system-ui,"Segoe UI","DejaVu Sans",sans-serif}
.conch-plot text{fill:#1b2127}
.conch-plot .quiet{fill:#5a646e}
.conch-plot .ground{fill:#fff}
.conch-plot .grid{stroke:#e2e6ea;fill:none}
.conch-plot .axis{stroke:#8a949e;fill:none}
.conch-plot .limit{stroke:#8a949e;stroke-dasharray:4 3;fill:none}
.conch-plot .frontier{stroke:#0b7a6b;stroke-opacity:.45;stroke-width:1.5;fill:none}
.conch-plot .passed{fill:#0b7a6b;stroke:#0b7a6b;stroke-width:1.5}
.conch-plot .failed{fill:#fff;stroke:#b3401b;stroke-width:1.5}
.conch-plot .sample{fill:#fff;stroke:#5a646e;stroke-width:1.5}
.conch-plot .chosen{fill:none;stroke:#1b2127;stroke-width:2}
.conch-plot .quantized-bar{fill:#0b7a6b}
.conch-plot .float-bar{fill:#c9721a}
.conch-plot .small{font-size:11px}
.conch-plot .strong{font-weight:600}
@media (prefers-color-scheme:dark){
.conch-plot text{fill:#e6eaee}
.conch-plot .quiet{fill:#9aa5b0}
.conch-plot .ground{fill:#171c21}
.conch-plot .grid{stroke:#2b333b}
.conch-plot .axis,.conch-plot .limit{stroke:#6d7883}
.conch-plot .frontier{stroke:#4fc7b4}
.conch-plot .passed{fill:#4fc7b4;stroke:#4fc7b4}
.conch-plot .failed{fill:#171c21;stroke:#ff9d7a}
.conch-plot .sample{fill:#171c21;stroke:#9aa5b0}
.conch-plot .chosen{stroke:#e6eaee}
.conch-plot .quantized-bar{fill:#4fc7b4}
.conch-plot .float-bar{fill:#f0a454}
}
"""
"""The same in every plot, so that a page can allow it by its hash."""

_LETTER = 6.6
_SMALL_LETTER = 6.0
"""Units of a letter of 12 and of 11, on average, with room to spare: a text has to fit in fonts we do not choose."""


def canvas(height: float, label: str, parts: list[Markup]) -> str:
    """The SVG text; `label` is for who cannot see it. It paints its own ground: in the dark it is light on dark."""
    ground = element("rect", width=WIDTH, height=height, class_="ground")
    svg = element(
        "svg",
        joined([Markup(f"<style>{STYLE}</style>"), ground, *parts]),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:.0f} {height:.0f}",
        class_="conch-plot",
        role="img",
        aria_label=label,
    )
    return str(svg)


def message(said: str) -> str:
    """A plot of nothing, which says why."""
    return canvas(48, said, [label(WIDTH / 2, 28, said, anchor="middle", class_="quiet")])


def label(x: float, y: float, said: str, *, anchor: str = "start", class_: str = "") -> Markup:
    """A line of text with its baseline at `y`."""
    return element("text", text(said), x=x, y=y, text_anchor=anchor, class_=class_)


def hint(lines: list[str]) -> Markup:
    """What the pointer shows over the element that this is the first child of."""
    return element("title", Markup("\n".join(text(line) for line in lines)))


def width(said: str) -> float:
    """Units that a text takes, about."""
    return len(said) * _LETTER


def fitted(said: str, room: float, *, small: bool = False) -> str:
    """A text that takes no more than `room` units, its middle left out where it is too long."""
    return shorten(plain(said), max(3, int(room / (_SMALL_LETTER if small else _LETTER))))


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)
