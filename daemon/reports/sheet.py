"""Tables for spreadsheets: CSV and XLSX. The only importer of csv and openpyxl.

What comes in: a head and rows of plain values. What goes out: bytes. What people wrote can never run as a formula: a
text that begins like one is kept as a text.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from daemon.errors import TicketdError

Cell = str | int | float | bool | datetime | None
Row = Sequence[Cell]

_FORMULA = re.compile(r"[\s\x00-\x1f]*[=+\-@＝＋－＠]")
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_LONGEST = 32_000
"""A cell of Excel holds 32,767 characters."""
_BOM = b"\xef\xbb\xbf"
_NO_OPENPYXL = "XLSX needs a library: pip install 'ticketd[xlsx]', or use --format csv"


def as_csv(head: Sequence[str], rows: Iterable[Row], zone: ZoneInfo) -> bytes:
    """Return CSV in UTF-8 with a BOM, without which Excel takes Chinese for something else."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(head)
    writer.writerows([_for_csv(cell, zone) for cell in row] for row in rows)
    return _BOM + out.getvalue().encode("utf-8")


def as_xlsx(sheets: Sequence[tuple[str, Sequence[str], Iterable[Row]]], zone: ZoneInfo) -> bytes:
    """Return a workbook; each sheet is (name, head, rows). Raises TicketdError without the extra `xlsx`."""
    try:
        from openpyxl import Workbook
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.styles import Font
    except ImportError as e:
        raise TicketdError(_NO_OPENPYXL) from e
    book = Workbook(write_only=True)
    for name, head, rows in sheets:
        sheet = book.create_sheet(name[:31])
        sheet.freeze_panes = "B2"
        table = [list(row) for row in rows]
        for i, title in enumerate(head):
            sheet.column_dimensions[_letters(i)].width = _wide(title, (row[i] for row in table))
        titles = [WriteOnlyCell(sheet, value=title) for title in head]
        for cell in titles:
            cell.font = Font(bold=True)
        sheet.append(titles)
        for row in table:
            sheet.append([_for_xlsx(cell, zone, partial(WriteOnlyCell, sheet)) for cell in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _for_csv(cell: Cell, zone: ZoneInfo) -> str | int | float:
    match cell:
        case None:
            return ""
        case bool():
            return int(cell)
        case datetime():
            return f"{cell.astimezone(zone):%Y-%m-%d %H:%M:%S}"
        case str():
            text = _fit(cell)
            return f"'{text}" if _FORMULA.match(text) else text
        case _:
            return cell


def _for_xlsx(value: Cell, zone: ZoneInfo, make: Callable[..., Any]) -> object:
    if isinstance(value, datetime):
        cell = make(value=value.astimezone(zone).replace(tzinfo=None))
        cell.number_format = "yyyy-mm-dd hh:mm:ss"
        return cell
    if not isinstance(value, str):
        return value
    text = _fit(value)
    if not text:
        return None
    cell = make(value=text)
    cell.data_type = "s"  # openpyxl takes a text that begins with "=" for a formula
    cell.quotePrefix = bool(_FORMULA.match(text))  # and Excel does as soon as somebody edits the cell
    return cell


def _fit(text: str) -> str:
    return _UNFIT.sub("", text)[:_LONGEST]


def _letters(index: int) -> str:
    """Return the name of a column: A … Z, AA …"""
    first, last = divmod(index, 26)
    return (_letters(first - 1) if first else "") + chr(ord("A") + last)


def _wide(title: str, cells: Iterable[Cell]) -> float:
    """Return a column's width: enough for most of what is in it."""
    longest = max((len(str(c)) for c in cells if c is not None), default=0)
    return min(max(len(title) * 2 + 2, longest + 2, 8), 48)
