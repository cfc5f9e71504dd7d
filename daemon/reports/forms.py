"""The forms in which reports leave: text, HTML, CSV, XLSX, JSON.

What comes in: facts, and the name of a form. What goes out: bytes, and a remark where less came out than could have.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.reports.charts import as_data_url, pictures_of
from daemon.reports.page import record_as_html, report_as_html, report_body
from daemon.reports.record import Cell, register_head
from daemon.reports.sheet import as_csv, as_xlsx
from daemon.reports.text import record_as_text, report_as_text, report_tables
from daemon.reports.wording import Speech, Wording

REPORT_FORMS = ("text", "html", "csv", "xlsx", "json")
TABLE_FORMS = ("csv", "xlsx")
RECORD_FORMS = ("text", "html")


_MOST_NUMBERS = 12
"""A mail that names more of them behind each figure is cut by the mail programs of its readers."""

Draws = Callable[[dict[str, Any], Speech], tuple[dict[str, bytes], str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MailedReport:
    """A report as a mail carries it. `pictures` are PNG by name; `remark` says why there are none."""

    text: str
    html: str
    pictures: Mapping[str, bytes]
    csv: bytes
    remark: str


def report_for_mail(
    facts: dict[str, Any], speech: Speech, source_of: Callable[[str], str], draws: Draws = pictures_of
) -> MailedReport:
    """Return the parts of a mail about a report; `source_of` names what stands in `src` of a picture."""
    pictures, remark = draws(facts, speech)
    sources = {name: source_of(name) for name in pictures}
    return MailedReport(
        text=report_tables(facts, speech, numbers=False),
        html=report_body(facts, speech, sources, _MOST_NUMBERS),
        pictures=pictures,
        csv=as_csv(_figures_head(speech), _figures(facts, speech), speech.zone),
        remark=remark,
    )


def report_in(form: str, facts: dict[str, Any], wording: Wording, *, numbers: bool) -> tuple[bytes, str]:
    """Return the report in one of REPORT_FORMS, and a remark or ""."""
    remark = ""
    match form:
        case "json":
            content = (json.dumps(facts, ensure_ascii=False, indent=1) + "\n").encode()
        case "html":
            pictures, remark = pictures_of(facts, wording)
            sources = {name: as_data_url(png) for name, png in pictures.items()}
            content = report_as_html(facts, wording, sources, numbers=numbers).encode()
        case "csv":
            content = as_csv(_figures_head(wording), _figures(facts, wording), wording.zone)
        case "xlsx":
            content = _workbook(facts, wording)
        case _:
            content = report_as_text(facts, wording, numbers=numbers).encode()
    return content, remark


def register_in(form: str, rows: Iterable[list[Cell]], wording: Wording) -> bytes:
    """Return the register in one of TABLE_FORMS."""
    head = register_head(wording)
    if form == "xlsx":
        return as_xlsx([(wording.say("register"), head, rows)], wording.zone)
    return as_csv(head, rows, wording.zone)


def record_in(form: str, facts: dict[str, Any], wording: Wording) -> bytes:
    """Return one ticket's record in one of RECORD_FORMS."""
    return (record_as_html if form == "html" else record_as_text)(facts, wording).encode()


def _workbook(facts: dict[str, Any], wording: Wording) -> bytes:
    formulas = [[kpi["name"], kpi["formula"]] for kpi in facts["kpis"]]
    figures = (wording.say("title"), _figures_head(wording), _figures(facts, wording))
    return as_xlsx([figures, (wording.say("formula"), _words(wording, "kpi", "formula"), formulas)], wording.zone)


def _figures_head(wording: Speech) -> list[str]:
    return _words(wording, "kpi", "item", "measure", "value", "unit", "numbers", "of")


def _words(wording: Speech, *names: str) -> list[str]:
    return [wording.say(name) for name in names]


def _figures(facts: dict[str, Any], wording: Speech) -> Iterator[list[Cell]]:
    """Yield one row for each figure; a KPI without any still has a row, which says so."""
    for kpi in facts["kpis"]:
        if not kpi["rows"]:
            yield [kpi["name"], wording.say("no_data"), None, None, None, None, None]
        for row in kpi["rows"]:
            for column, figure in zip(kpi["columns"], row["figures"], strict=True):
                unit = wording.word("report_units", column["unit"])
                behind = (" ".join(map(str, figure[name])) for name in ("numbers", "of"))
                yield [kpi["name"], row["label"], column["name"], figure["value"], unit, *behind]
