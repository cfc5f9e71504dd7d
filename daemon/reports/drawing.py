"""Draws charts as PNG, in a process of its own: matplotlib is large, and the daemon shall stay small.

What comes in, as JSON on standard input: {name: chart}, a chart being {kind, title, labels, series: [{name, values}]}.
What goes out, as JSON on standard output: {name: PNG in base64}. Nothing else imports matplotlib. Nothing is drawn
where no font knows the letters: boxes instead of Chinese are worse than no picture.
"""

from __future__ import annotations

import base64
import importlib
import io
import json
import sys
from typing import Any

INK, FAINT, LINE = "#1c2733", "#5b6b7b", "#e3e8ed"
COLOURS = ("#2f6fd6", "#8fa3b5", "#2a9d8f")
_FAMILIES = ("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
             "Droid Sans Fallback", "Microsoft YaHei", "SimHei", "PingFang SC")  # fmt: skip
_INCHES, _DPI = 5.8, 240
_MOST_LABELS = 12
_NARROW = 0x2E80
"""The first code point that Latin fonts have not."""


def main() -> int:
    """Draw what is asked for on standard input."""
    asked: dict[str, dict[str, Any]] = json.load(sys.stdin)
    import matplotlib as mpl

    mpl.use("Agg")
    if not _choose_font(json.dumps(asked, ensure_ascii=False)):
        print("no font for Chinese: pip install pylopdf-fonts-zh-cn, or a package of fonts", file=sys.stderr)  # noqa: T201
        return 1
    drawn = {name: base64.b64encode(_draw(chart)).decode("ascii") for name, chart in asked.items()}
    json.dump(drawn, sys.stdout)
    return 0


def _choose_font(text: str) -> bool:
    """Let everything be written in a font that has its letters; False where there is none."""
    import matplotlib as mpl
    from matplotlib import font_manager

    known = {f.name for f in font_manager.fontManager.ttflist}
    family = _packaged_font(font_manager) or next((f for f in _FAMILIES if f in known), "")
    mpl.rcParams["font.family"] = [family, "sans-serif"] if family else ["sans-serif"]
    return bool(family) or not any(ord(c) >= _NARROW for c in text)


def _packaged_font(font_manager: Any) -> str:
    """Return the family of the font that comes with the extra `charts`, "" where it is not installed."""
    try:
        path = str(importlib.import_module("pylopdf_fonts_zh_cn").sans_path())
        font_manager.fontManager.addfont(path)
        return str(font_manager.FontProperties(fname=path).get_name())
    except (ImportError, OSError, AttributeError):
        return ""


def _draw(chart: dict[str, Any]) -> bytes:
    from matplotlib.figure import Figure

    lying = chart["kind"] == "bars"
    high = 0.9 + 0.34 * len(chart["labels"]) if lying else 2.6
    figure = Figure(figsize=(_INCHES, high), dpi=_DPI, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    figure.suptitle(chart["title"], x=0.012, ha="left", fontsize=11, color=INK)
    (_bars if lying else _columns)(axes, chart)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(LINE)
    axes.tick_params(colors=FAINT, labelsize=9, length=0)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def _bars(axes: Any, chart: dict[str, Any]) -> None:
    """One series lying down, with its values at the ends."""
    places = range(len(chart["labels"]))
    bars = axes.barh(places, chart["series"][0]["values"], color=COLOURS[0], height=0.62)
    axes.set_yticks(places, chart["labels"])
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.bar_label(bars, padding=4, fontsize=9, color=FAINT)
    axes.margins(x=0.08)


def _columns(axes: Any, chart: dict[str, Any]) -> None:
    """Several series side by side along time."""
    series = chart["series"]
    wide = 0.8 / len(series)
    for i, one in enumerate(series):
        places = [x - 0.4 + wide * (i + 0.5) for x in range(len(chart["labels"]))]
        axes.bar(places, one["values"], width=wide, color=COLOURS[i], label=one["name"])
    every = max(1, -(-len(chart["labels"]) // _MOST_LABELS))
    shown = range(0, len(chart["labels"]), every)
    axes.set_xticks(shown, [chart["labels"][i] for i in shown])
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    where = {"loc": "lower right", "bbox_to_anchor": (1, 1.0), "borderaxespad": 0.1}
    axes.legend(frameon=False, fontsize=9, labelcolor=FAINT, ncols=len(series), **where)


if __name__ == "__main__":
    sys.exit(main())
