"""What the judge knows of the procedure: the rule files of the played month as plain data, and who stands behind a name.

Nothing here is shared with ticketd. The words for roles and audiences are those of docs/rules.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.month.hours import Hours, days_in, duration

SERVICE_ZONE = "Asia/Shanghai"
RULES = Path(__file__).parent / "rules"
ROLES = ("desk", "manager", "director", "sales", "duty")


@dataclass
class Books:
    """The rule files. `files` may be altered before use: a judge that knows no lunch break is put to the test so."""

    files: dict[str, Any] = field(default_factory=lambda: read_rules(RULES))
    _hours: dict[tuple[str, str], Hours] = field(default_factory=dict)

    @cached_property
    def people(self) -> dict[str, dict[str, Any]]:
        return self.files["people"]["people"]

    @cached_property
    def by_address(self) -> dict[str, str]:
        return {address: key for key, p in self.people.items() for address in p["addresses"]}

    @cached_property
    def teams(self) -> dict[str, dict[str, Any]]:
        return self.files["people"]["teams"]

    @cached_property
    def customers(self) -> dict[str, dict[str, Any]]:
        return self.files["customers"]["customers"]

    @cached_property
    def announcements(self) -> list[dict[str, Any]]:
        return self.files["announcements"]["announcements"]

    @cached_property
    def duties(self) -> dict[str, Any]:
        return self.files["duties"]["duties"]

    @cached_property
    def stops(self) -> list[str]:
        return self.files["service_levels"]["hold_stops_clock"]

    def hours(self, calendar: str, zone: str = "") -> Hours:
        entry = self.files["calendars"]["calendars"][calendar]
        where = zone or entry.get("zone") or SERVICE_ZONE
        if (calendar, where) not in self._hours:
            self._hours[calendar, where] = Hours(entry, where)
        return self._hours[calendar, where]

    def level(self, customer: str) -> dict[str, Any]:
        """Return the contract of a customer."""
        key = self.customers.get(customer, {}).get("service_level", "standard")
        return self.files["service_levels"]["service_levels"][key]

    def counted_on(self, customer: str, severity: int) -> Hours:
        """Return the hours on which a promise is counted: the place's own stand in for a business calendar."""
        who = self.customers.get(customer, {})
        named = self.level(customer)["targets"][severity]["calendar"]
        if named != "always":
            named = who.get("calendar", named)
        return self.hours(named, who.get("zone", ""))

    def place(self, customer: str) -> tuple[str, str]:
        """Return by whose working days the lists of a customer go: calendar and zone."""
        who = self.customers.get(customer, {})
        calendar = who.get("calendar", "")
        if not calendar or self.files["calendars"]["calendars"][calendar].get("always"):
            calendar = self.duties["calendar"]
        return calendar, who.get("zone", "")

    def places(self) -> list[tuple[str, str]]:
        return sorted({self.place(c) for c in ("", *self.customers)})

    def steps(self, customer: str, severity: int) -> list[dict[str, Any]]:
        """Return the steps of the timetable for one severity, each with what tells it from the others."""
        found = []
        for step in self.level(customer)["steps"]:
            severities = step.get("severities", [1, 2, 3, 4])
            if severity in (severities if isinstance(severities, list) else [severities]):
                found.append(_step(step))
        return found

    # --- contracts, and monitoring tools ---

    def outside(self, customer: str, category: str, *, by_tool: bool) -> str:
        """Return what becomes of a report that the contract does not cover: refuse or ask_desk; "" if it does."""
        contract = self.customers.get(customer, {}).get("contract", {})
        covered = contract.get("services")
        if not covered or any(_covers(service, category) for service in covered):
            return ""
        return "ask_desk" if by_tool else contract.get("outside", "refuse")

    def tool(self, name: str) -> dict[str, Any]:
        """Return what alerts.yaml says of a tool, by the name that history shows."""
        return next((a for a in self.files["alerts"]["alerts"] if a["name"] == name), {})

    def tool_at(self, address: str) -> dict[str, Any]:
        return next(a for a in self.files["alerts"]["alerts"] if a["when"]["sender is"] == address)

    # --- who stands behind a name ---

    def address(self, key: str) -> str:
        return self.people[key]["addresses"][0]

    def away(self, address: str, day: date) -> bool:
        absences = self.people.get(self.by_address.get(address, ""), {}).get("absences", ())
        return any(day in days_in(line) for line in absences)

    def with_role(self, role: str) -> list[str]:
        return [self.address(k) for k, p in self.people.items() if role in p["roles"]]

    def audience(self, name: str, case: Any) -> list[str]:
        """Return the addresses behind one name on one ticket."""
        if name in ROLES:
            return self.with_role(name)
        finder = getattr(self, f"_{name}", None)
        return finder(case) if finder else [self.address(name)] if name in self.people else []

    def _requester(self, case: Any) -> list[str]:
        return [] if case.by_tool else [case.requester]  # a monitoring tool is never written to

    def _watchers(self, case: Any) -> list[str]:
        return list(case.watchers)

    def _assignee(self, case: Any) -> list[str]:
        return [self.address(case.assignee)] if case.assignee else []

    def _team(self, case: Any) -> list[str]:
        return [self.address(k) for k in self.teams[case.team]["members"]] if case.team else []

    def _assignee_or_team(self, case: Any) -> list[str]:
        return self.audience(self.at_work(case), case)

    def at_work(self, case: Any) -> str:
        """Return the name of those who have a ticket at hand: somebody is behind it."""
        if case.state == "out_of_scope":
            names = ["sales"] if case.insisted else []
        else:
            waits = case.team and self.teams[case.team].get("dispatch") == "auto"
            names = ["assignee", "lead" if waits else "team"]
        return next((n for n in names if self.audience(n, case)), "desk")

    def _liaison(self, case: Any) -> list[str]:
        return [self.address(case.liaison)] if case.liaison else []

    def _former(self, case: Any) -> list[str]:
        return [self.address(case.former)] if case.former else []

    def _lead(self, case: Any) -> list[str]:
        return [self.address(self.teams[case.team]["lead"])] if case.team else []

    def _pm(self, case: Any) -> list[str]:
        known = self.customers.get(case.customer)
        return [self.address(known["pm"])] if known else self.with_role("pm")

    def _line2(self, case: Any) -> list[str]:
        second = [k for k, p in self.people.items() if "engineer" in p["roles"] and p.get("line") == 2]
        skilled = [k for k in second if any(f"{case.category}/".startswith(f"{s}/") for s in self.people[k]["skills"])]
        members = self.teams[case.team]["members"] if case.team else []
        return [self.address(k) for k in skilled or [k for k in second if k in members]]

    def _line3(self, _: Any) -> list[str]:
        return self.with_role("vendor")

    def in_line(self, name: str, case: Any, day: date, unreached: str = "") -> dict[str, str]:
        """Return who is told of a step as `name` on this day, and as what: the next in line where nobody is there."""
        while name:
            here = [a for a in self.audience(name, case) if not self.away(a, day) and a != unreached]
            if here:
                return dict.fromkeys(here, name)
            name = self.files["service_levels"]["next_in_line"].get(name, "")
        return {}


def _covers(service: str, category: str) -> bool:
    """Whether a category is this one or below it."""
    return f"{category}/".startswith(f"{service}/")


def _step(entry: dict[str, Any]) -> dict[str, Any]:
    on_record = entry["clock"] == "record"
    every, after = entry.get("every"), entry.get("after")
    quiet = entry.get("quiet")
    if every and not quiet:  # docs: four hours, or until the next working day where they are daily
        quiet = "1d" if duration(every) >= duration("1d") else max(every, "4h", key=duration)
    return {
        "clock": "resolve" if on_record else entry["clock"],
        "percent": 0 if on_record or after else entry.get("percent", 100),
        "on_record": on_record,
        "after": duration(after) if after else None,
        "every": duration(every) if every else None,
        "quiet": duration(quiet) if quiet else None,
        "tell": entry["tell"],
        "key": str(sorted((k, str(v)) for k, v in entry.items() if k != "severities")),
    }


def read_rules(folder: Path) -> dict[str, Any]:
    """Read every rule file of a folder as plain data, by its name."""
    yaml = YAML(typ="safe")
    return {path.stem: yaml.load(path.read_text("utf-8")) for path in sorted(folder.glob("*.yaml"))}
