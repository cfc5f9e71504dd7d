"""Reports as HTML that mail programs show as it is meant, on a phone and in dark mode too.

What comes in: report or record facts. What goes out: one page that needs nothing from elsewhere: styles stand at the
elements, bars are cells with a colour. All that people wrote is escaped.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from daemon.reports.text import period_words
from daemon.reports.wording import Speech

_GLANCE = ("volume", "respond_attainment", "resolve_attainment", "backlog", "first_line", "reopened")
_TILES = 3
_ALL = sys.maxsize
_FONT = (
    "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'PingFang SC','Hiragino Sans GB','Microsoft YaHei',"
    "'Noto Sans CJK SC','Noto Sans SC',Helvetica,Arial,sans-serif"
)
_STYLE = """
:root { color-scheme: light dark; supported-color-schemes: light dark; }
@media (max-width: 480px) { .card { padding: 18px 14px !important; } .cell { padding-left: 4px !important; } }
@media (prefers-color-scheme: dark) {
.page { background: #101418 !important; }
.card { background: #1b2228 !important; border-color: #2e3943 !important; color: #e6ebf0 !important; }
.ink { color: #e6ebf0 !important; }
.faint { color: #9fb0c0 !important; }
.line { border-color: #2e3943 !important; }
.tile { background-color: #232c34 !important; }
.said { background: #232c34 !important; border-color: #4a5a69 !important; color: #e6ebf0 !important; }
.care { background: #3a2f14 !important; border-color: #c99a2e !important; color: #f3e3b5 !important; }
.bar { background: #7db4ff !important; }
.track { background: #2e3943 !important; }
}
"""


def report_as_html(facts: dict[str, Any], wording: Speech, pictures: Mapping[str, str], *, numbers: bool) -> str:
    """Return the report as a page. `pictures` are (name of a KPI or "course") → what stands in `src` of its image."""
    body = _title(facts["title"], facts["service"]) + report_body(facts, wording, pictures, _ALL if numbers else 0)
    return _document(f"{facts['title']} · {period_words(facts, wording)}", body, facts["language"])


def report_body(facts: dict[str, Any], wording: Speech, pictures: Mapping[str, str], numbers: int) -> str:
    """Return what stands below the title. Of the tickets behind a figure at most `numbers` are named."""
    body = [_small(_about(facts, wording)), _tiles(facts)]
    names = {kpi["key"]: kpi["name"] for kpi in facts["kpis"]}
    body += [_picture(source, names.get(name) or wording.say(name)) for name, source in pictures.items()]
    body += [_kpi(kpi, wording, numbers) for kpi in facts["kpis"]]
    return "\n".join(body)


def record_as_html(facts: dict[str, Any], wording: Speech) -> str:
    """Return one ticket's record as a page, with its whole history."""
    aside = f"{facts['service']} · {wording.say('made_at')} {facts['made_at']}"
    body = [_title(facts["subject"], f"{wording.say('record')} {facts['ref']}"), _small([aside, facts["zone_words"]])]
    if facts["internal"]:
        body.append(_care(wording.say("internal")))
    body += [_heading(wording.say("fields")), _pairs(facts["fields"])]
    if facts["clocks"]:
        body += [_heading(wording.say("clocks")), _pairs((c["name"], "\n".join(c["lines"])) for c in facts["clocks"])]
    if facts["major"]:
        body += [_heading(wording.say("major")), _pairs(facts["major"]["head"])]
        body.append(_pairs_of_html((e["at"], _event(e)) for e in facts["major"]["course"]))
    if facts["attachments"]:
        files = ((a["at"], f"{a['name']} ({a['size']})") for a in facts["attachments"])
        body += [_heading(wording.say("attachments")), _pairs(files)]
    body += [_heading(wording.say("history")), _pairs_of_html((e["at"], _event(e)) for e in facts["history"])]
    return _document(f"{facts['ref']} {facts['subject']}", "\n".join(body), facts["language"])


# --- a report ---


def _about(facts: dict[str, Any], wording: Speech) -> list[str]:
    return [
        f"{period_words(facts, wording)} · {facts['customer_name']}",
        f"{wording.say('made_at')} {facts['made_at'][:16].replace('T', ' ')} · "
        + wording.say("zone").format(wording.words["zone"]),
    ]


def _tiles(facts: dict[str, Any]) -> str:
    """Return the first figure of the KPIs that matter most, three in a row."""
    chosen = {kpi["key"]: kpi for kpi in facts["kpis"] if kpi["key"] in _GLANCE and kpi["rows"]}
    tiles = [_tile(chosen[key]) for key in _GLANCE if key in chosen]
    rows = ("".join(tiles[i : i + _TILES]) for i in range(0, len(tiles), _TILES))
    return _table("".join(f"<tr>{row}</tr>" for row in rows), "margin:14px 0 6px;border-collapse:separate")


def _tile(kpi: dict[str, Any]) -> str:
    shown = escape(kpi["rows"][0]["figures"][0]["shown"])
    return (
        '<td class="tile" width="33%" valign="top" style="background:#f3f5f7;border:2px solid transparent;'
        'background-clip:padding-box;border-radius:8px;padding:10px 12px">'
        f'<div class="ink" style="font-size:20px;font-weight:600;color:#1c2733;white-space:nowrap">{shown}</div>'
        f'<div class="faint" style="font-size:13px;line-height:1.4;color:#5b6b7b">{escape(kpi["name"])}</div></td>'
    )


def _picture(source: str, title: str) -> str:
    style = "display:block;width:100%;max-width:700px;height:auto;border:0;border-radius:8px;margin:14px 0"
    return f'<img src="{escape(source)}" alt="{escape(title)}" width="700" style="{style}">'


def _kpi(kpi: dict[str, Any], wording: Speech, numbers: int) -> str:
    formula = f'<div class="faint" style="font-size:12px;line-height:1.5;color:#5b6b7b">{escape(kpi["formula"])}</div>'
    if not kpi["rows"]:
        return f"{_heading(kpi['name'])}{formula}<div>{escape(wording.say('no_data'))}</div>"
    each = _WIDE if len(kpi["columns"]) <= _FEW else _NARROW
    style = f"color:#5b6b7b;font-size:12px;width:{each}"
    names = "".join(_cell(c["name"], "faint", style, width=each) for c in kpi["columns"])
    head = f'<tr><td class="line" style="{_LINE}"></td>{names}</tr>'
    rows = "".join(_row(row, kpi, wording, numbers) for row in kpi["rows"])
    return f"{_heading(kpi['name'])}{formula}{_table(head + rows, 'margin-top:6px')}"


_FEW, _WIDE, _NARROW = 3, "17%", "20%"
_LINE = "border-bottom:1px solid #e3e8ed;padding:6px 0;"


def _cell(text: str, name: str = "", style: str = "", width: str = "") -> str:
    wide = f' width="{width}"' if width else ""
    return (
        f'<td class="cell line {name}" align="right" valign="top"{wide} style="{_LINE}padding-left:12px;{style}">'
        f"{escape(text)}</td>"
    )


def _row(row: dict[str, Any], kpi: dict[str, Any], wording: Speech, numbers: int) -> str:
    weight = "font-weight:600;" if row["group"] == "total" else ""
    label = f'<td class="line" valign="top" style="{_LINE}{weight}">{escape(row["label"])}{_bar(row, kpi)}'
    label += f"{_behind(row, kpi, wording, numbers) if numbers else ''}</td>"
    return f"<tr>{label}{''.join(_cell(f['shown'], style=weight) for f in row['figures'])}</tr>"


def _bar(row: dict[str, Any], kpi: dict[str, Any]) -> str:
    """Return a bar for the first figure: shares by themselves, the rest beside the largest of its column."""
    value, unit = row["figures"][0]["value"], kpi["columns"][0]["unit"]
    if value is None or unit not in ("count", "percent") or (row["group"] == "total" and unit == "count"):
        return ""
    others = [r["figures"][0]["value"] or 0 for r in kpi["rows"] if r["group"] != "total"]
    whole = 100 if unit == "percent" else max(others, default=0)
    return _drawn_bar(100 * value / whole) if whole else ""


def _drawn_bar(percent: float) -> str:
    width = min(100, round(percent))
    thin = "height:6px;line-height:6px;font-size:0;border-radius:3px"
    inner = f'<td class="bar" bgcolor="#2f6fd6" width="{width}%" style="{thin};background:#2f6fd6">&nbsp;</td>'
    inner = inner if width else ""
    rest = f'<td class="track" bgcolor="#e3e8ed" style="{thin};background:#e3e8ed">&nbsp;</td>' if width < 100 else ""  # noqa: PLR2004
    return _table(f"<tr>{inner}{rest}</tr>", "margin-top:4px")


def _behind(row: dict[str, Any], kpi: dict[str, Any], wording: Speech, most: int) -> str:
    """Return the numbers of the tickets behind a row, each list once and not too much of it."""
    lists: dict[tuple[int, ...], str] = {}
    for column, figure in zip(kpi["columns"], row["figures"], strict=True):
        if figure["numbers"]:
            lists.setdefault(tuple(figure["numbers"]), column["name"])
    said = "<br>".join(f"{escape(name)}: {_some(found, wording, most)}" for found, name in lists.items())
    return f'<div class="faint" style="font-size:12px;line-height:1.5;color:#5b6b7b">{said}</div>' if said else ""


def _some(numbers: tuple[int, ...], wording: Speech, most: int) -> str:
    named = ", ".join(map(str, numbers[:most]))
    return named if len(numbers) <= most else f"{named} … {escape(wording.say('more_attached'))}"


# --- a record ---


def _event(event: dict[str, Any]) -> str:
    said = event["said"].strip()
    words = "<br>\n".join(map(escape, said.splitlines()))
    quote = (
        '<div class="said" style="margin:6px 0 2px;padding:8px 12px;background:#f3f5f7;border-left:3px solid #b9c5d1;'
        f'border-radius:4px;color:#1c2733">{words}</div>'
    )
    return escape(event["text"]) + (quote if said else "")


def _care(text: str) -> str:
    return (
        '<div class="care" style="margin:10px 0;padding:8px 12px;background:#fff6db;border:1px solid #e5c76b;'
        f'border-radius:6px;color:#5c4700">{escape(text)}</div>'
    )


def _pairs(rows: Iterable[tuple[str, str]]) -> str:
    return _pairs_of_html((name, "<br>\n".join(map(escape, value.splitlines()))) for name, value in rows)


def _pairs_of_html(rows: Iterable[tuple[str, str]]) -> str:
    return _table("".join(_pair_rows(rows)), "")


def _pair_rows(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, value in rows:
        yield (
            f'<tr><td class="faint line" width="118" valign="top" style="{_LINE}padding-right:12px;font-size:13px;'
            f'color:#5b6b7b">{escape(name)}</td><td class="line" valign="top" style="{_LINE}">{value}</td></tr>'
        )


# --- pieces ---


def _title(title: str, aside: str) -> str:
    return (
        f'<div class="faint" style="font-size:14px;line-height:1.5;color:#5b6b7b">{escape(aside)}</div>'
        '<h1 class="ink" style="margin:2px 0 8px;font-size:21px;line-height:1.35;font-weight:600;color:#1c2733">'
        f"{escape(title)}</h1>"
    )


def _heading(text: str) -> str:
    style = "margin:26px 0 2px;font-size:16px;line-height:1.4;font-weight:600;color:#1c2733"
    return f'<h2 class="ink" style="{style}">{escape(text)}</h2>'


def _small(lines: Iterable[str]) -> str:
    said = "<br>".join(map(escape, lines))
    return f'<div class="faint" style="font-size:13px;line-height:1.6;color:#5b6b7b">{said}</div>'


def _table(rows: str, style: str) -> str:
    return (
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" '
        f'style="border-collapse:collapse;font-size:14px;line-height:1.5;{style}">{rows}</table>'
    )


def _document(title: str, body: str, language: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="{escape(language)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body class="page" style="margin:0;padding:0;background:#f3f5f7;-webkit-text-size-adjust:100%">
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" border="0" \
style="background:#f3f5f7">
<tr><td align="center" style="padding:12px 8px 24px;font-family:{_FONT}">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:760px">
<tr><td class="card" align="left" style="padding:28px 32px;background:#ffffff;border:1px solid #e3e8ed;\
border-radius:10px;font-size:15px;line-height:1.6;color:#1c2733;word-break:break-word;overflow-wrap:anywhere">
{body}
</td></tr>
</table>
</td></tr>
</table>
</body>
</html>
"""
