"""One HTML page that tells the day: who wrote to whom, and beside it what became of the tickets and their clocks.

What comes in: the scenes as they were played, and the summary. What goes out: the text of one file that needs nothing
else but the mails it links to. All that people wrote is escaped. It reads on a phone, in light and in dark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from daemon.demo.chronicle import TOO_LATE, Change, Scene, Shown, Summary

_SIDES = {
    "customer": "Customer 客户",
    "staff": "Staff 工程师与经理",
    "ticketd": "ticketd",
    "machine": "Machine 自动邮件",
    "stranger": "Forger 冒名者",
}
_PREVIEW = 150


def page(scenes: Sequence[Scene], summary: Summary) -> str:
    """Return the whole page."""
    legend = "".join(f'<li class="{side}">{escape(name)}</li>' for side, name in _SIDES.items())
    told = "".join(_scene(number, scene) for number, scene in enumerate(scenes, 1))
    head = f"<title>ticketd demo · 服务台的一天</title><style>{_STYLE}</style>"
    top = (
        "<header><h1>服务台的一天 <span>One day at a service desk</span></h1>"
        f"<p>{escape(summary.day)} · every mail here went over real SMTP and IMAP servers and through ticketd itself; "
        f"only the clock was turned.</p>{_numbers(summary)}{_tickets(summary)}{_refused(summary)}"
        f'<ul class="legend">{legend}</ul></header>'
    )
    meta = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    scheme = '<meta name="color-scheme" content="light dark">'
    return (
        f'<!DOCTYPE html>\n<html lang="zh"><head>{meta}{scheme}{head}</head>\n'
        f"<body>{top}\n<main>{told}</main></body></html>\n"
    )


# --- above: the day in numbers ---


def _numbers(summary: Summary) -> str:
    tiles = "".join(f"<div><b>{escape(v)}</b><span>{escape(k)}</span></div>" for k, v in summary.numbers)
    return f'<div class="tiles">{tiles}</div>'


def _tickets(summary: Summary) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in summary.columns)
    rows = "".join(f"<tr>{''.join(_cell(c) for c in row)}</tr>" for row in summary.tickets)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _cell(text: str) -> str:
    late = ' class="late"' if text == TOO_LATE else ""
    return f"<td{late}>{escape(text)}</td>"


def _refused(summary: Summary) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in summary.refused)
    return (
        f'<section class="refusals"><h2>Refused, withheld or returned 拒绝、不答与退信</h2><ul>{items}</ul></section>'
    )


# --- below: scene by scene ---


def _scene(number: int, scene: Scene) -> str:
    title = f'<h2><time>{scene.at:%H:%M}</time> {escape(scene.title)} <a href="#s{number}">{number}</a></h2>'
    mails = "".join(map(_mail, scene.mails)) or '<p class="silence">(no mail)</p>'
    beside = _changes(scene.changes) + _checks(scene)
    body = f'{title}<div class="mails">{mails}</div><aside>{beside}</aside>'
    return f'<section class="scene" id="s{number}">{body}</section>'


def _mail(mail: Shown) -> str:
    route = f"<b>{escape(mail.sender)}</b> → {escape(mail.to)}"
    link = f'<a class="eml" href="mails/{escape(mail.file)}">.eml</a>'
    subject = f'<div class="subject">{escape(mail.subject)}</div>'
    text = f'<div class="text">{_text(mail.words)}</div>'
    body = f'<div class="route"><span>{route}</span>{link}</div>{subject}{_folded(mail, text)}'
    return f'<article class="mail {mail.side}">{body}</article>'


def _folded(mail: Shown, text: str) -> str:
    """Show what people wrote at once, and fold what is long: our own mails and what was quoted."""
    if not mail.incoming:
        return f"<details><summary>{escape(gist(mail.words))}</summary>{text}</details>"
    if not mail.quoted.strip():
        return text
    quoted = f'<div class="text quoted">{_text(mail.quoted)}</div>'
    return f"{text}<details><summary>quoted text 引用</summary>{quoted}</details>"


def _text(words: str) -> str:
    """Escape, with one empty line where a mail program put many."""
    return escape(re.sub(r"\n\s*\n", "\n\n", words.strip()))


def gist(words: str) -> str:
    """Return the first sentence of one of our mails after the greeting, in one line."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    first = lines[1:] or lines[:1] or [""]
    line = " ".join(first[:2]) if first[0].endswith((":", "：")) else first[0]
    return line if len(line) <= _PREVIEW else line[: _PREVIEW - 1] + "…"


def _changes(changes: Iterable[Change]) -> str:
    items = "".join(
        f'<li class="{c.kind}{" refused" if c.refused else ""}"><b>INC-{c.ticket}</b> {escape(c.text)}</li>'
        for c in changes
    )
    return f'<ul class="changes">{items}</ul>' if items else ""


def _checks(scene: Scene) -> str:
    items = "".join(f"<li>{escape(what)}</li>" for what in scene.held)
    broken = f'<li class="broken">{escape(scene.broken)}</li>' if scene.broken else ""
    return f'<ul class="checks">{items}{broken}</ul>'


_STYLE = """
:root { color-scheme: light dark; --page: #f4f5f7; --card: #fff; --ink: #1c232b; --faint: #5d6975; --line: #dde2e8;
  --customer: #2563c9; --staff: #23804a; --ticketd: #6b7683; --machine: #9a6700; --stranger: #c0332b;
  --clock: #6a3fb5; --good: #23804a; --bad: #c0332b; }
@media (prefers-color-scheme: dark) { :root { --page: #12161b; --card: #1b2128; --ink: #e4e9ee; --faint: #9aa7b4;
  --line: #2f3842; --customer: #79aefc; --staff: #6cc98f; --ticketd: #94a1af; --machine: #e0b04a; --stranger: #ff8177;
  --clock: #b99bf2; --good: #6cc98f; --bad: #ff8177; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 20px 16px 60px; max-width: 1080px; background: var(--page); color: var(--ink);
  font: 15px/1.55 system-ui, "Segoe UI", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif;
  overflow-wrap: anywhere; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; }
h1 span { color: var(--faint); font-weight: 400; font-size: .7em; }
header p { margin: 0 0 16px; color: var(--faint); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(110px, 1fr)); gap: 10px; margin-bottom: 14px; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px 12px; }
.tiles b { display: block; font-size: 24px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--faint); font-size: 13px; }
.wide { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; }
th, td { text-align: left; padding: 8px 12px; border-top: 1px solid var(--line); white-space: nowrap; }
td:last-child { white-space: normal; min-width: 14em; }
.late { color: var(--bad); }
thead th { border-top: 0; color: var(--faint); font-weight: 500; }
.refusals h2 { font-size: 15px; margin: 16px 0 4px; }
.refusals ul { margin: 0; padding-left: 20px; font-size: 14px; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 6px 16px; padding: 0; margin: 18px 0 0;
  font-size: 13px; }
.legend li::before { content: ""; display: inline-block; width: 10px; height: 10px; border-radius: 3px;
  margin-right: 6px; background: var(--side); }
.customer { --side: var(--customer); } .staff { --side: var(--staff); } .ticketd { --side: var(--ticketd); }
.machine { --side: var(--machine); } .stranger { --side: var(--stranger); }
.scene { display: grid; grid-template-columns: minmax(0, 1fr) 300px; gap: 0 22px; padding-top: 26px; }
.scene h2 { grid-column: 1 / -1; font-size: 17px; margin: 0 0 10px; display: flex; gap: 10px; align-items: baseline;
  border-top: 1px solid var(--line); padding-top: 14px; }
.scene h2 time { flex: none; font-variant-numeric: tabular-nums; color: var(--faint); font-weight: 500; }
.scene h2 a { margin-left: auto; color: var(--faint); font-size: 13px; font-weight: 400; text-decoration: none; }
.mail { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--side); border-radius: 8px;
  padding: 9px 13px; margin-bottom: 10px; }
.mail.ticketd { margin-left: 36px; }
.route { display: flex; gap: 10px; justify-content: space-between; font-size: 13px; color: var(--faint); }
.route b { color: var(--side); }
.eml { flex: none; color: var(--faint); }
.subject { font-weight: 600; }
.text { white-space: pre-wrap; margin-top: 4px; }
.quoted { color: var(--faint); font-size: 13px; }
summary { cursor: pointer; color: var(--faint); font-size: 14px; }
.mail.ticketd summary { color: var(--ink); }
.silence { color: var(--faint); margin: 4px 0; }
aside { font-size: 13px; }
aside ul { list-style: none; margin: 0 0 10px; padding: 0; }
aside li { padding: 2px 0 2px 20px; position: relative; }
aside li::before { position: absolute; left: 0; }
.changes b { font-weight: 600; }
.changes .state::before { content: "●"; color: var(--customer); }
.changes .clock::before { content: "◷"; color: var(--clock); }
.changes .note::before { content: "·"; color: var(--faint); left: 5px; }
.changes .refused { color: var(--bad); }
.changes .refused::before { content: "✕"; color: var(--bad); left: 0; }
.checks { border-top: 1px dashed var(--line); padding-top: 6px !important; color: var(--faint); }
.checks li::before { content: "✓"; color: var(--good); }
.checks .broken { color: var(--bad); font-weight: 600; }
.checks .broken::before { content: "✕"; color: var(--bad); }
@media (max-width: 760px) { .scene { grid-template-columns: minmax(0, 1fr); } .mail.ticketd { margin-left: 14px; }
  h1 { font-size: 22px; } h1 span { display: block; } aside { margin: 2px 0 0 14px; } }
"""
