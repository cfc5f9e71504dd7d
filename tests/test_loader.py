"""Rule files: the starter set loads; what is broken is named with file, line and cure, all at once."""

import shutil
from collections.abc import Iterator
from datetime import date, time, timedelta
from pathlib import Path

import pytest

from daemon.config import shipped
from daemon.errors import ConfigError
from daemon.events import KINDS
from daemon.routing.conditions import AllOf, AnyOf, Not
from daemon.routing.loader import FILES, MAY_BE_MISSING, RuleFiles, load_rulebook
from daemon.routing.sections import EVENTS
from daemon.rulebook import Rulebook
from daemon.words import HoldReason, Kind, Level, Role, Severity, State, Verb, Who


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a copy of the starter rules to break."""
    shutil.copytree(shipped("rules"), tmp_path / "rules")
    return tmp_path / "rules"


def complaints(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_rulebook(folder)
    return [str(p).removeprefix(f"{folder}/") for p in caught.value.problems]


def rules(folder: Path, text: str) -> Path:
    (folder / "routing.yaml").write_text(text, "utf-8")
    return folder


# --- what loads ---

STARTER = load_rulebook(shipped("rules"))


def test_starter_keywords_cover_every_verb_in_both_languages() -> None:
    assert {k.verb for k in STARTER.keywords} == set(Verb)
    for keyword in STARTER.keywords:
        assert keyword.who
        assert set(keyword.help) == {"zh", "en"}
        assert any(word.isascii() for word in keyword.words)
        assert any(not word.isascii() for word in keyword.words)
    accept = next(k for k in STARTER.keywords if k.verb is Verb.ACCEPT)
    assert {"受理", "接单", "accept"} <= set(accept.words)
    assert accept.who == (Who.ASSIGNEE, Who.TEAM, Who.DESK)


def test_starter_service_level_holds_the_targets_of_the_procedure() -> None:
    targets = STARTER.service_levels["standard"].targets
    hours = {s: (t.respond / timedelta(hours=1), t.resolve / timedelta(hours=1)) for s, t in targets.items()}
    assert hours == {1: (0.25, 4), 2: (0.5, 8), 3: (2, 16), 4: (4, 40)}
    assert [targets[s].calendar for s in Severity] == ["always", "always", "business", "business"]
    assert STARTER.hold_stops_clock == {HoldReason.CUSTOMER, HoldReason.DATE, HoldReason.APPROVAL}


def test_starter_calendar_knows_lunch_holidays_and_make_up_days() -> None:
    business = STARTER.calendars["business"]
    assert business.week[0] == ((time(9), time(12)), (time(13), time(18)))
    assert set(business.week) == {0, 1, 2, 3, 4}
    assert date(2026, 2, 23) in business.holidays
    assert date(2026, 2, 24) not in business.holidays
    assert date(2026, 10, 10) in business.workdays
    assert STARTER.calendars["always"].always


def test_starter_people_teams_and_customers_fit_together() -> None:
    assert STARTER.people["zhao.min"].teams == ("network", "security")
    assert {role for p in STARTER.people.values() for role in p.roles} >= {
        Role.DESK, Role.ENGINEER, Role.PM, Role.MANAGER, Role.DIRECTOR, Role.SALES, Role.DUTY,
    }  # fmt: skip
    customer = STARTER.customer_at("anybody@huaxin.example")
    assert customer is not None
    assert (customer.key, customer.pm) == ("huaxin", "sun.li")
    person = STARTER.person_at("WANG.WEI@example.com")
    assert person is not None
    assert person.key == "wang.wei"


def test_children_of_a_category_take_over_what_it_says() -> None:
    climate, outage = STARTER.categories["facility/climate"], STARTER.categories["network/outage"]
    assert (climate.team, climate.impact, climate.urgency) == ("facility", Level.MEDIUM, Level.HIGH)
    assert (outage.team, outage.impact, outage.kind) == ("network", Level.HIGH, Kind.INCIDENT)
    assert STARTER.categories["request/memory"].kind == Kind.SERVICE_REQUEST
    assert len(STARTER.matrix) == 9


def test_starter_announcements_name_events_that_exist() -> None:
    assert EVENTS.keys() <= KINDS.keys()
    told = {(a.event, a.state): a.template for a in STARTER.announcements}
    assert told["StateChanged", State.RESOLVED] == "resolved"
    assert told["StateChanged", State.PENDING_REVIEW] == "review_request"
    reopened = next(a for a in STARTER.announcements if a.template == "reopened")
    assert reopened.verbs == (Verb.REOPEN, Verb.REJECT)


def test_conditions_nest_and_lines_of_one_table_must_all_hold(folder: Path) -> None:
    book = load_rulebook(rules(folder, """\
rules:
  - name: nested
    when:
      customer is: acme
      any:
        - subject contains: [vpn, 专线]
        - not: {language is: zh}
    then: {category: 专线, team: 网络组, assignee: 王伟, watchers: [何磊, X@example.com]}
"""))  # fmt: skip
    when = book.rules[0].when
    assert isinstance(when, AllOf)
    assert isinstance(when.parts[1], AnyOf)
    assert isinstance(when.parts[1].parts[1], Not)
    assert [a.describe() for a in book.rules[0].then] == [
        "category: network/vpn", "team: network", "assignee: wang.wei", "watchers: he.lei, x@example.com",
    ]  # fmt: skip
    assert book.rules[0].where == "routing.yaml:2"


def test_words_that_yaml_might_turn_into_something_else_stay_texts(folder: Path) -> None:
    book = load_rulebook(rules(folder, """\
rules:
  - name: words
    when: {subject contains: [no, on, 12:30, 007, 691, 1.5, 2026-01-01]}
    then: {team: desk}
"""))  # fmt: skip
    assert book.rules[0].when.describe() == "subject contains: no | on | 12:30 | 007 | 691 | 1.5 | 2026-01-01"


def test_version_names_exactly_these_files(folder: Path) -> None:
    before = load_rulebook(folder).version
    assert before == STARTER.version == load_rulebook(folder).version
    with (folder / "people.yaml").open("a") as file:
        file.write("# a remark\n")
    assert load_rulebook(folder).version != before
    assert isinstance(load_rulebook(folder), Rulebook)


# --- what does not ---

HEAD = "rules:\n  - name: r\n"
BROKEN_RULES = {
    "misspelt condition": (
        HEAD + "    when: {subjct contains: x}\n    then: {team: desk}\n",
        "3: no condition is called 'subjct contains' (did you mean 'subject contains'?)",
    ),
    "misspelt operator": (
        HEAD + "    when:\n      subject contain: x\n    then: {team: desk}\n",
        "4: 'subject' cannot be compared by 'contain' (did you mean 'contains'?); it knows is, in, contains, "
        "mentions, starts with, ends with, matches",
    ),
    "bad pattern": (
        HEAD + "    when: {subject matches: 'a(b'}\n    then: {team: desk}\n",
        "3: the pattern 'a(b' cannot be used: missing ): a(b (to find the character itself, write a backslash "
        "before it)",
    ),
    "look-ahead": (
        HEAD + "    when: {subject matches: '(?!x)'}\n    then: {team: desk}\n",
        "3: the pattern '(?!x)' cannot be used: invalid perl operator: (?! (RE2 has no look-ahead, look-behind or "
        "back-references; say it with all:, any: and not:)",
    ),
    "list without a word": (
        HEAD + "    when:\n      - subject is: x\n    then: {team: desk}\n",
        "3: a list of conditions needs a word before it: write 'any:' or 'all:' above the list",
    ),
    "empty when": (
        HEAD + "    when:\n    then: {team: desk}\n",
        "3: there is no condition here; write one, or leave 'when:' out for a rule that always holds",
    ),
    "unknown team": (
        HEAD + "    then: {team: netwrk}\n",
        "3: no team is called 'netwrk' (did you mean 'network'?)",
    ),
    "unknown category": (
        HEAD + "    then:\n      category: network/vnp\n",
        "4: no category is called 'network/vnp' (did you mean 'network/vpn'?)",
    ),
    "unknown person": (
        HEAD + "    then: {assignee: wang.wie}\n",
        "3: no person is called 'wang.wie' (did you mean 'wang.wei'?)",
    ),
    "unknown watcher": (
        HEAD + "    then:\n      watchers: [somebody]\n",
        "4: no person is called 'somebody'; write one of chen.jing, he.lei, li.na, liu.yang, mary.jones, sun.li, "
        "tom.baker, wang.wei, wu.fang, zhao.min, zheng.hao, zhou.qiang, or add it to people.yaml",
    ),
    "unknown customer": (
        HEAD + "    when: {customer in: [acme, huaxing]}\n    then: {team: desk}\n",
        "3: no customer is called 'huaxing' (did you mean 'huaxin'?)",
    ),
    "unknown calendar": (
        HEAD + "    when: {within working hours: busines}\n    then: {team: desk}\n",
        "3: no calendar is called 'busines' (did you mean 'business'?)",
    ),
    "unknown action": (
        HEAD + "    then: {teem: desk}\n",
        "3: no action is called 'teem' (did you mean 'team'?)",
    ),
    "unknown key": (
        HEAD + "    then: {team: desk}\n    stopp: true\n",
        "4: a rule has no key 'stopp' (did you mean 'stop'?)",
    ),
    "nothing to do": (
        HEAD + "    when: {subject is: x}\n",
        "2: a rule lacks 'then'; write then: {category: network, team: network}",
    ),
    "no name": (
        "rules:\n  - then: {team: desk}\n",
        "2: a rule lacks 'name'; write name: a few words that say what it is for",
    ),
    "one name twice": (
        HEAD + "    then: {team: desk}\n  - name: r\n    then: {team: desk}\n",
        "4: another rule (line 2) is called 'r'; names tell rules apart",
    ),
    "one key twice": (
        HEAD + "    then: {team: desk}\n    name: s\n",
        "4: the key 'name' is here twice (first in line 2); keep one of them",
    ),
    "no list": (
        "rules:\n  name: r\n",
        "1: 'rules' must be a list, each entry on a line that begins with '- ', got a table",
    ),
    "tab": (
        "rules:\n\t- name: r\n",
        "2: is not YAML: found character '\\t' that cannot start any token; indent with spaces, close every bracket, "
        "put quotes around a text with ': ', '#', '*' or '['",
    ),
    "alias without end": (
        "rules: &a\n  - *a\n",
        "1: anchors and aliases (& and *) are not for rule files; write it out",
    ),
    "python tag": (
        "rules: !!python/object:os.system x\n",
        "1: the tag tag:yaml.org,2002:python/object:os.system is not for rule files; take it out",
    ),
    "too many rules": (
        "rules:\n" + "- {}\n" * 5001,
        "1: there are 5001 rules; at most 5000 are read, join some with 'any:'",
    ),
    "empty file": (
        "# nothing\n",
        "1: the file must be a table of 'key: value' lines, got nothing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN_RULES)
def test_broken_rule_is_named_with_line_and_cure(name: str, folder: Path) -> None:
    text, expected = BROKEN_RULES[name]
    assert f"routing.yaml:{expected}" in complaints(rules(folder, text))


BROKEN_FILES = {
    "unknown role": (
        "people.yaml", "roles: [sales]", "roles: [seller, sales]",
        "'roles' knows no 'seller'; write one of requester, desk, engineer, pm, manager, director, sales, duty, vendor",
    ),
    "bad address": (
        "people.yaml", "[wang.wei@example.com]", "[wang.wei]",
        "'wang.wei' is not an address; write it as name@example.com",
    ),
    "one address twice": (
        "people.yaml", "[li.na@example.com]", "[wang.wei@example.com]",
        "'wang.wei@example.com' belongs to 'wang.wei' already; an address is one person's or customer's",
    ),
    "unknown member": (
        "people.yaml", "members: [liu.yang, he.lei]", "members: [liu.yan, he.lei]",
        "no person is called 'liu.yan' (did you mean 'liu.yang'?)",
    ),
    "alias of two": (
        "people.yaml", "aliases: [网络组, 网络]", "aliases: [服务台]",
        "'服务台' already means the team 'desk'; use another word here",
    ),
    "unknown pm": (
        "customers.yaml", "pm: sun.li", "pm: sun.lee",
        "no person is called 'sun.lee' (did you mean 'sun.li'?)",
    ),
    "customer nobody can be": (
        "customers.yaml", "    domains: [huaxin.example]\n", "",
        "the customer 'huaxin' has neither addresses nor domains; write domains: [example.com]",
    ),
    "unknown service level": (
        "customers.yaml", "region: 广东", "service_level: gold",
        "no service level is called 'gold'; write one of standard, or add it to service_levels.yaml",
    ),
    "hole in the matrix": (
        "categories.yaml", "medium: {high: 2, medium: 3, low: 4}", "medium: {high: 2, low: 4}",
        "the row 'impact medium' lacks 'medium'; write medium: 1",
    ),
    "no such severity": (
        "categories.yaml", "low: {high: 3, medium: 4, low: 4}", "low: {high: 3, medium: 4, low: 5}",
        "a severity is 1, 2, 3 or 4, got '5'",
    ),
    "unknown team of a category": (
        "categories.yaml", "team: facility\n", "team: facilities\n",
        "no team is called 'facilities' (did you mean 'facility'?)",
    ),
    "bad duration": (
        "service_levels.yaml", "respond: 30m", "respond: half an hour",
        "'respond' is a time such as 15m, 4h or 2d, got 'half an hour'",
    ),
    "unknown calendar of a target": (
        "service_levels.yaml", "resolve: 8h, calendar: always", "resolve: 8h, calendar: allways",
        "no calendar is called 'allways' (did you mean 'always'?)",
    ),
    "severity without a target": (
        "service_levels.yaml", "      2: {respond: 30m, resolve: 8h, calendar: always}\n", "",
        "'targets' lacks '2'; write 2: {respond: 2h, resolve: 16h, calendar: business}",
    ),
    "unknown audience of a step": (
        "service_levels.yaml", "tell: [director, sales]", "tell: [directors, sales]",
        "no audience is called 'directors' (did you mean 'director'?)",
    ),
    "unknown clock": (
        "service_levels.yaml", "{clock: resolve, percent: 50,", "{clock: solve, percent: 50,",
        "'clock' knows no 'solve' (did you mean 'resolve'?)",
    ),
    "one step twice": (
        "service_levels.yaml", "percent: 100, severities: 2, tell: [pm]", "percent: 100, severities: [1, 2], tell: [pm]",
        "the step 'respond 100%' stands twice for one severity; give one of them another 'name'",
    ),
    "unknown hold reason": (
        "service_levels.yaml", "hold_stops_clock: [customer, date, approval]", "hold_stops_clock: [custmer, date]",
        "'hold_stops_clock' knows no 'custmer' (did you mean 'customer'?)",
    ),
    "bad span": (
        "calendars.yaml", "13:00-18:00", "18:00-13:00",
        "'18:00-13:00' ends before it begins; write the earlier time first (24:00 is midnight)",
    ),
    "overlapping spans": (
        "calendars.yaml", "13:00-18:00", "11:00-18:00",
        "'11:00-18:00' begins before the span before it ends; put them in order",
    ),
    "bad weekday": (
        "calendars.yaml", "mon-fri:", "mon-fry:",
        "'mon-fry' names no weekdays; write mon, or mon-fri; the days are mon, tue, wed, thu, fri, sat, sun",
    ),
    "bad date": (
        "calendars.yaml", "2026-02-15 to", "2026-02-31 to",
        "'2026-02-31 to 2026-02-23' is not a date; write 2026-10-01, or 2026-10-01 to 2026-10-07",
    ),
    "holiday at work": (
        "calendars.yaml", "2026-10-10]", "2026-10-07]",
        "2026-10-07 is both a holiday and a working day; take it out of one list",
    ),
    "bad zone": (
        "calendars.yaml", "    week:\n      mon-fri", "    zone: Beijing\n    week:\n      mon-fri",
        "no time zone is called 'Beijing'; write an IANA name, as in Asia/Shanghai",
    ),
    "colliding keywords": (
        "keywords.yaml", "words: [cause, 原因]", "words: [cause, ＡＣＣＥＰＴ]",
        "'ＡＣＣＥＰＴ' already stands for accept (line 13); a word means one thing, choose another",
    ),
    "keyword with its hash": (
        "keywords.yaml", "words: [ci, 配置项]", "words: ['#ci']",
        "'#ci' must be one word without '#': people write the # in front of it themselves",
    ),
    "unknown verb": (
        "keywords.yaml", "  resume:", "  resum:",
        "no keyword does 'resum' (did you mean 'resume'?)",
    ),
    "unknown who": (
        "keywords.yaml", "who: [participant]", "who: [participants]",
        "'who' knows no 'participants' (did you mean 'participant'?)",
    ),
    "unknown event": (
        "announcements.yaml", "event: Returned", "event: Return",
        "no event is called 'Return' (did you mean 'Returned'?)",
    ),
    "unknown state": (
        "announcements.yaml", "state: archived", "state: closed",
        "'state' knows no 'closed'; write one of new, assigned, in_progress, on_hold, resolved, pending_review, "
        "archived, out_of_scope, cancelled, known_error",
    ),
    "links of another event": (
        "announcements.yaml", "{event: Returned,", "{event: Returned, links: [merged],",
        "'links' belongs to 'event: Linked' and 'event: Unlinked' only; take it out",
    ),
    "unknown link": (
        "announcements.yaml", "links: [related, merged,", "links: [relatd, merged,",
        "'links' knows no 'relatd' (did you mean 'related'?)",
    ),
    "a mail that opens a problem": (
        "categories.yaml", "kind: service_request", "kind: problem",
        "no mail opens a problem; write one of incident, service_request",
    ),
    "state of another event": (
        "announcements.yaml", "{event: Returned,", "{event: Returned, state: new,",
        "'state' belongs to 'event: StateChanged' only; take it out",
    ),
    "unknown audience": (
        "announcements.yaml", "template: returned, to: [desk]", "template: returned, to: [desks]",
        "no audience is called 'desks' (did you mean 'desk'?)",
    ),
    "template that is a path": (
        "announcements.yaml", "template: returned", "template: ../returned",
        "'../returned' is not a template's name; write it as scope_refused",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_broken_file_is_named_with_line_and_cure(name: str, folder: Path) -> None:
    file, old, new, expected = BROKEN_FILES[name]
    text = (folder / file).read_text("utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), "utf-8")
    line = _line_of_the_complaint(text, old, name)
    assert f"{file}:{line}: {expected}" in complaints(folder)


def _line_of_the_complaint(text: str, old: str, name: str) -> int:
    """Return the line where the change stands; some complaints point at the thing around it."""
    line = text[: text.index(old)].count("\n") + 1
    return (
        line
        + {"one address twice": -2, "alias of two": -4, "customer nobody can be": -2}.get(name, 0)
        + (-2 if name == "severity without a target" else 0)
    )


def test_everything_wrong_in_all_files_is_said_at_once(folder: Path) -> None:
    rules(folder, """\
rules:
  - name: one
    when: {subject matches: '['}
    then: {team: nobody, impact: hgh}
  - name: two
    whn: {subject is: x}
    then: {ctegory: network}
""")  # fmt: skip
    text = (folder / "calendars.yaml").read_text("utf-8")
    (folder / "calendars.yaml").write_text(text.replace("09:00-12:00", "9-12"), "utf-8")
    (folder / "customers.yaml").unlink()
    (folder / "routng.yaml").write_text("rules: []\n")
    found = complaints(folder)
    assert [line.partition(" ")[0] for line in found] == [
        "calendars.yaml:16:",
        "customers.yaml:",
        "routing.yaml:3:",
        "routing.yaml:4:",
        "routing.yaml:4:",
        "routing.yaml:6:",
        "routing.yaml:7:",
        "routng.yaml:",
    ]
    assert found[1] == "customers.yaml: is missing; ticketd init DIR writes a starter set, copy the file from there"
    assert found[-1] == "routng.yaml: is no rule file (did you mean 'routing.yaml'?)"


def test_names_of_a_file_that_cannot_be_read_are_not_called_wrong(folder: Path) -> None:
    (folder / "people.yaml").write_text("people: [\n", "utf-8")
    found = complaints(folder)
    assert len(found) == 1
    assert found[0].startswith("people.yaml:2: is not YAML: ")


def test_file_that_is_too_large_or_not_utf8_is_refused(folder: Path) -> None:
    (folder / "routing.yaml").write_bytes(b"#" * 2_000_001)
    (folder / "people.yaml").write_bytes("people:\n  王伟: {}\n".encode("gb18030"))
    assert complaints(folder) == [
        "people.yaml:2: is not UTF-8 here; save the file as UTF-8",
        "routing.yaml: is larger than 2000000 bytes; make it smaller",
    ]


def test_nesting_without_end_is_refused(folder: Path) -> None:
    rules(folder, "rules: " + "[" * 600 + "]" * 600)
    assert complaints(folder) == ["routing.yaml: is nested too deeply; make it flatter"]
    deep = "{not: " * 30 + "{subject is: x}" + "}" * 30
    rules(folder, HEAD + f"    when: {deep}\n    then: {{team: desk}}\n")
    assert complaints(folder) == ["routing.yaml:3: conditions are nested deeper than 20; make them flatter"]


def test_folder_that_is_not_there_names_every_file(tmp_path: Path) -> None:
    assert len(complaints(tmp_path / "nowhere")) == len(set(FILES) - MAY_BE_MISSING)


def test_a_book_is_read_again_from_the_files_that_it_keeps(folder: Path) -> None:
    book = load_rulebook(folder)
    again = load_rulebook(RuleFiles(Path("kept"), book.files))
    assert again.version == book.version and set(again.files) == set(book.files) >= {"plans/fire-or-flood.yaml"}
    assert [r.name for r in again.rules] == [r.name for r in book.rules]
    broken = {**book.files, "routing.yaml": b"rules: 5", "strange.yaml": b"", "people.yaml": b"\xff"}
    del broken["keywords.yaml"]
    with pytest.raises(ConfigError) as caught:
        load_rulebook(RuleFiles(Path("kept"), broken))
    said = [str(p) for p in caught.value.problems]
    assert all(
        any(s.startswith(f"kept/{name}") for s in said) for name in ("routing.yaml:1", "strange.yaml", "keywords.yaml")
    )
