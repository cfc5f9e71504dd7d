"""Write the tables of docs/ from the code and the starter rules, between their marker comments.

python scripts/make_docs.py           writes them
python scripts/make_docs.py --check   exits 1 if a table in docs/ is not what the code says
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pydantic.fields import FieldInfo  # noqa: E402
from pydantic_core import PydanticUndefined  # noqa: E402

from daemon.authority import MATRIX_HEAD, matrix  # noqa: E402
from daemon.config import TABLES  # noqa: E402
from daemon.duties import DUTIES  # noqa: E402
from daemon.events import KINDS  # noqa: E402
from daemon.lifecycle import STAYS, as_markdown, as_mermaid  # noqa: E402
from daemon.notify.catalogue import templates_table  # noqa: E402
from daemon.reports.kpis import kpis_table  # noqa: E402
from daemon.routing.actions import ACTIONS  # noqa: E402
from daemon.routing.conditions import (  # noqa: E402
    AGE_OPERATORS,
    COUNT_OPERATORS,
    OPERATOR_ALIASES,
    SIZE_OPERATORS,
    SOME_OF,
    TEXT_OPERATORS,
    TIME_KEYS,
    TREE_OPERATORS,
)
from daemon.routing.facts import (  # noqa: E402
    AGE_FIELDS,
    COUNT_FIELDS,
    FLAG_FIELDS,
    SIZE_FIELDS,
    TEXT_FIELDS,
    TextField,
)
from daemon.routing.loader import load_rulebook  # noqa: E402
from daemon.routing.ruling import CAPTURES  # noqa: E402
from daemon.routing.schema import FOLDER, SCHEMAS, schema_text  # noqa: E402
from daemon.routing.sections import AUDIENCES, EVENTS  # noqa: E402
from daemon.routing.specimens import EXPECTATIONS, SPECIMEN_KEYS  # noqa: E402
from daemon.timetable import span, timetable  # noqa: E402
from daemon.words import Kind, State  # noqa: E402
from scripts.lifecycle_svg import lifecycle_svg  # noqa: E402
from tests.procedure_rows import ROWS, SECTIONS, shown_by  # noqa: E402

MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    cells = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(c.replace("|", "\\|") for c in row) + " |\n" for row in cells)


def config_table() -> str:
    rows = []
    for name, model in TABLES.items():
        for key, field in model.model_fields.items():
            place = {"mailbox": "[[mailbox]]", "oauth": "[oauth.NAME]"}.get(name, f"[{name}]")
            rows.append((place, f"`{key}`", _default(name, key, field), field.description or ""))
    return table(("table", "key", "default", "what it says"), rows)


def _default(name: str, key: str, field: FieldInfo) -> str:
    default = field.default
    if key == "port":
        return "993, 143 with starttls" if name == "mailbox" else "587, 465 with implicit"
    if default is PydanticUndefined:
        return "**needed**"
    if default is None:
        return str(field.examples[0])
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return "`[]`"
    return f'`"{default}"`' if isinstance(default, str) else f"`{default:g}`" if default < 1e6 else f"`{default}`"


def condition_fields_table() -> str:
    rows = [(f"`{name}`", f.meaning, _values(f)) for name, f in TEXT_FIELDS.items()]
    rows += [("`header NAME`", "every header of this name, as in `header X-Priority is: 1`", "text")]
    others = {"size": SIZE_FIELDS, "count": COUNT_FIELDS, "age": AGE_FIELDS, "true, false": FLAG_FIELDS}
    rows += [(f"`{name}`", f.meaning, kind) for kind, table_ in others.items() for name, f in table_.items()]
    return table(("field", "what it looks at", "its values"), rows)


def _values(field: TextField) -> str:
    return ", ".join(field.choices) or field.names or "text"


def condition_operators_table() -> str:
    called = {
        name: f"`{name}`" + "".join(f" (`{a}`)" for a, o in OPERATOR_ALIASES.items() if o == name)
        for name in TEXT_OPERATORS
    }
    rows = [
        (called[name], "paths, domains" if name in TREE_OPERATORS else "text", o.meaning)
        for name, o in TEXT_OPERATORS.items()
    ]
    rows += [(f"`{name}`", "text", meaning) for name, meaning in SOME_OF.items()]
    rows += [("`matches`", "text", "a regular expression (RE2) is found in it, without regard to case")]
    rows += [(f"`{name}`", "size", f"{meaning} this: `500 kB`, `10 MB`") for name, meaning in SIZE_OPERATORS.items()]
    rows += [(f"`{name}`", "count", o.meaning) for name, o in COUNT_OPERATORS.items()]
    rows += [(f"`{name}`", "age", meaning) for name, meaning in AGE_OPERATORS.items()]
    return table(("operator", "for", "holds if the field"), rows)


def captures_table() -> str:
    return table(("into", "what it is"), [(f"`{into}`", meaning) for into, meaning in CAPTURES.items()])


def condition_time_table() -> str:
    rows = [(f"`{key}`", meaning, f"`{example}`") for key, (meaning, example) in TIME_KEYS.items()]
    return table(("key", "holds if", "example"), rows)


def actions_table() -> str:
    rows = [(f"`{word}`", a.value, a.effect) for word, a in ACTIONS.items()]
    return table(("action", "value", "effect"), rows)


def specimen_table() -> str:
    return table(("key", "says"), ((f"`{key}`", what) for key, what in SPECIMEN_KEYS.items()))


def expectations_table() -> str:
    return table(("expect", "is"), ((f"`{fact}`", what) for fact, what in EXPECTATIONS.items()))


def targets_table() -> str:
    level = load_rulebook(ROOT / "rules").service_levels["standard"]
    rows = [
        (str(int(severity)), span(t.respond, "en"), span(t.resolve, "en"), t.calendar)
        for severity, t in level.targets.items()
    ]
    return table(("severity", "first answer within", "solved within", "calendar"), rows)


def timetable_table() -> str:
    head, rows = timetable(load_rulebook(ROOT / "rules").service_levels["standard"])
    return table(head, rows)


def events_table() -> str:
    return table(("event", "when"), ((f"`{name}`", meaning) for name, meaning in EVENTS.items()))


def audiences_table() -> str:
    return table(("name", "who that is"), ((f"`{name}`", meaning) for name, meaning in AUDIENCES.items()))


def keywords_table() -> str:
    rows = [
        (
            f"`{k.verb}`",
            " ".join(f"`#{word}`" for word in k.words),
            ", ".join(k.who),
            str(k.risk),
            k.help.get("en", ""),
            k.help.get("zh", ""),
        )
        for k in load_rulebook(ROOT / "rules").keywords
    ]
    return table(("action", "words", "who may", "risk", "in English", "中文"), rows)


def authority_table() -> str:
    """Whose commands are believed, every cell of rules/authority.yaml."""
    return table(MATRIX_HEAD, matrix(load_rulebook(ROOT / "rules").permits))


def history_table() -> str:
    """Every kind of event in a ticket's history, with the keys of its data."""
    rows = [
        (f"`{name}`", _first_sentence(kind.__doc__), " ".join(f"`{f.name}`" for f in fields(kind)))
        for name, kind in KINDS.items()
    ]
    return table(("kind", "what happened", "keys of `data`"), rows)


def duties_table() -> str:
    """When each duty is done by the starter rules."""
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
    rows = []
    for time in load_rulebook(ROOT / "rules").duties.times:
        who, what = DUTIES[time.duty]
        minutes = int(time.offset.total_seconds() // 60)
        length = f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
        edge = f"{length} before the working day ends" if time.from_end else f"{length} after the working day begins"
        often = "every working day" if time.weekday is None else f"{days[time.weekday]}s"
        often = often if time.month_day is None else f"day {time.month_day} of every month"
        rows.append((f"`{time.duty}`", who, what, f"{often}, {edge}"))
    return table(("duty", "to", "what", "when, in the starter rules"), rows)


def ratings_table() -> str:
    """The words that stand for a rating in the starter rules."""
    ratings = load_rulebook(ROOT / "rules").duties.ratings
    return table(("rating", "words"), ((str(n), " ".join(f"`{w}`" for w in ratings[n])) for n in sorted(ratings)[::-1]))


def floors_table() -> str:
    """The floors from the roof down, as the import contract of pyproject.toml says."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["type"] == "layers")
    rows = [
        (str(floor), " ".join(f"`{name.removeprefix('daemon.')}`" for name in re.findall(r"[\w.]+", layer)))
        for floor, layer in zip(range(len(layers), 0, -1), layers, strict=True)
    ]
    return table(("floor", "modules"), rows)


def _first_sentence(text: str | None) -> str:
    return re.split(r"(?<=\.)\s", " ".join((text or "").split()), maxsplit=1)[0]


def lifecycle_diagram() -> str:
    return f"```mermaid\n{as_mermaid()}```\n"


def stays_table() -> str:
    rows = [(f"`{verb}`", ", ".join(s for s in State if s in states)) for verb, states in STAYS.items()]
    return table(("keyword", "in these states"), rows)


def procedure_table(section: str) -> Callable[[], str]:
    """Return the maker of one section's rows, with the tests that show each."""

    def maker() -> str:
        shown = shown_by()
        rows = (
            (f"`{row.id}`", row.en, row.zh, "<br>".join(f"`{test}`" for test in shown.get(row.id, ())))
            for row in ROWS.values()
            if row.section == section
        )
        return table(("row", "what ticketd does", "中文", "shown by"), rows)

    return maker


TABLES_OF: dict[str, dict[str, Callable[[], str]]] = {
    "configuration.md": {"config": config_table},
    "rules.md": {
        "condition_fields": condition_fields_table,
        "condition_operators": condition_operators_table,
        "condition_time": condition_time_table,
        "captures": captures_table,
        "actions": actions_table,
        "specimen": specimen_table,
        "expectations": expectations_table,
        "events": events_table,
        "audiences": audiences_table,
    },
    "service-levels.md": {"targets": targets_table, "timetable": timetable_table},
    "keywords.md": {"keywords": keywords_table},
    "security.md": {"authority": authority_table},
    "duties.md": {"duties": duties_table, "ratings": ratings_table},
    "lifecycle.md": {
        "diagram": lifecycle_diagram,
        "moves": as_markdown,
        "stays": stays_table,
        "problem_moves": partial(as_markdown, Kind.PROBLEM),
        "change_moves": partial(as_markdown, Kind.CHANGE),
    },
    "json.md": {"history": history_table},
    "templates.md": {"templates": templates_table},
    "reports.md": {"kpis": kpis_table},
    "architecture.md": {"floors": floors_table},
    "procedure.md": {f"rows_{section}": procedure_table(section) for section in SECTIONS},
}


PICTURES: dict[str, Callable[[], str]] = {"lifecycle.svg": lifecycle_svg}
SCHEMA_FILES: dict[str, Callable[[], str]] = {f"{name}.json": partial(schema_text, name) for name in SCHEMAS}


def renewed(file: str, text: str) -> str:
    """Return the text of a docs file with every marked table made anew."""
    makers = TABLES_OF[file]
    return MARKED.sub(lambda m: m[1] + makers[m[2]]() + m[3], text)


def main() -> int:
    stale = []
    makers = {f"docs/{file}": maker for file, maker in PICTURES.items()}
    makers |= {f"rules/{FOLDER}/{file}": maker for file, maker in SCHEMA_FILES.items()}
    for file in (*(f"docs/{name}" for name in TABLES_OF), *makers):
        path = ROOT / file
        old = path.read_text("utf-8") if path.exists() else ""
        new = makers[file]() if file in makers else renewed(path.name, old)
        if new != old:
            stale.append(file)
            if "--check" not in sys.argv:
                path.parent.mkdir(exist_ok=True)
                path.write_text(new, "utf-8")
    print("\n".join(f"{file}: {'differs' if '--check' in sys.argv else 'written'}" for file in stale))
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
