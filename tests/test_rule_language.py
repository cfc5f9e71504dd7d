"""The language of routing.yaml: every condition met, not met and misused; lists, names, includes, captures, limits."""

import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.errors import ConfigError
from daemon.intake.letter import Attachment
from daemon.routing.conditions import Capture, ConditionError, Finding, Verdict, condition_from
from daemon.routing.evaluate import route
from daemon.routing.facts import AGE_FIELDS, COUNT_FIELDS, FLAG_FIELDS, SIZE_FIELDS, TEXT_FIELDS, MailFacts, TicketFacts
from daemon.routing.folding import alike
from daemon.routing.loader import RuleFiles, load_partly, load_rulebook
from daemon.routing.ruling import MAX_RULES
from daemon.routing.telltale import telltales
from daemon.rulebook import Rulebook
from daemon.service import Trust
from daemon.words import Address, Kind, Proof, Severity, State
from tests.desk import ROOT, TestDesk, write
from tests.test_routing import MONDAY_MORNING, facts, letter

TICKET = TicketFacts(
    number=7, state=State.ON_HOLD, kind=Kind.INCIDENT, category="network/vpn", team="network", severity=Severity.HIGH,
    assignee="wang.wei", customer="acme", tags=("vip",), opened_at=MONDAY_MORNING - timedelta(days=3),
)  # fmt: skip
FILE = Attachment(name="Fehler.XLSX", content_type="application/x", size=5_000_000, sha256="")
LOGO = Attachment(name="logo.png", content_type="image/png", size=900, sha256="", inline=True)


def full(**more: object) -> MailFacts:
    """A mail of which everything is known that can be."""
    mail = letter(
        "ＶＰＮ断了", "I get error 691 on ASSET-42, PO-7 is late; Guangdong, 1.2万 users",
        date=MONDAY_MORNING - timedelta(hours=2), attachments=(FILE, FILE, LOGO),
        senders=(Address("Ann Lee", "ann@mail.acme.example"),),
    )  # fmt: skip
    known = facts(
        mail, person="wang.wei", person_teams=("network", "desktop"), proof=Proof.VERIFIED, contract="HX-2026-07",
        contract_state="in force", region="北京", received_at=MONDAY_MORNING - timedelta(minutes=20), ticket=TICKET,
        similar=(12, 9),
        captures=tuple(
            Finding(into, Capture(pattern))
            for into, pattern in {
                "ci": r"ASSET-(\d+)", "order": r"(PO-\d+)", "code": r"error (\d+)", "region": "(Guangdong)",
                "affected": r"([\d.]+万?) users",
            }.items()
        ),
    )  # fmt: skip
    return replace(known, **more)  # type: ignore[arg-type]


MET = {
    "sender is": ("ann@mail.acme.example", "ann@mail.acme.example", "ann@acme.example"),
    "sender domain is": ("mail.acme.example", "mail.acme.example", "acme.example"),
    "sender domain within": ("acme.example", "mail.acme.example", "cme.example"),
    "sender name contains": ("lee", "Ann Lee", "tom"),
    "proof is": ("proved", "proved", "failed"),
    "proof in": (["none", "verified"], "verified", ["none", "token"]),
    "customer is": ("acme", "acme", "huaxin"),
    "contract is": ("hx-2026-07", "HX-2026-07", "HX-2025"),
    "contract state is": ("in force", "in force", "expired"),
    "region is": ("guangdong", "Guangdong", "北京"),
    "person is": ("wang.wei", "wang.wei", "li.na"),
    "person team is": ("desktop", "desktop", "server"),
    "person role is": ("engineer", "engineer", "pm"),
    "recipient is": ("boss@acme.example", "boss@acme.example", "boss@acme.test"),
    "recipient domain within": ("acme.example", "acme.example", "acme.test"),
    "mailbox is": ("support", "support", "sales"),
    "subject starts with": ("vpn", "ＶＰＮ断了", "断"),
    "text mentions": ("error 691", "I get error 691 on ASSET-42, PO-7 is late; Guangdong, 1.2万 users", "rror"),
    "text contains 2 of": (["error", "asset", "printer"], "error | asset", ["error", "printer", "fax"]),
    "text mentions 2 of": (["error", "late", "lat"], "error | late", ["err", "lat", "late"]),
    "whole text matches": ("old w[aeiou]rds", "old words", "new words"),
    "language is": ("en", "en", "zh"),
    "nature is": ("human", "human", "list"),
    "attachment name ends with": (".xlsx", "Fehler.XLSX", ".exe"),
    "attachment type is": ("image/png", "image/png", "image/gif"),
    "mail is": ("reply", "reply", "new"),
    "ticket state in": (["on_hold", "new"], "on_hold", "new"),
    "ticket kind is": ("incident", "incident", "problem"),
    "ticket category within": ("network", "network/vpn", "netw"),
    "ticket team is": ("network", "network", "server"),
    "ticket severity is": (2, "2", 1),
    "ticket assignee is": ("wang.wei", "wang.wei", "li.na"),
    "ticket customer is": ("acme", "acme", "huaxin"),
    "ticket tag is": ("vip", "vip", "alert"),
    "ci is": ("42", "42", "43"),
    "order starts with": ("po-", "PO-7", "X-"),
    "error code is": (691, "691", 692),
    "header x-priority starts": (1, "1 (Highest)", 3),
    "size over": ("5 MB", "6000000 bytes", "7 MB"),
    "attachment size under": ("1 kB", "900 bytes", 900),
    "attachment count over": (1, "2", 2),
    "attachment count is": (2, "2", 3),
    "recipient count under": (3, "2", 2),
    "customers affected over": (10_000, "12000", 12_000),
    "date older than": ("1h", "2026-11-23 08:00", "3h"),
    "date newer than": ("3h", "2026-11-23 08:00", "1h"),
    "arrival older than": ("15m", "2026-11-23 09:40", "30m"),
    "ticket older than": ("2d", "2026-11-20 10:00", "4d"),
    "ticket newer than": ("4d", "2026-11-20 10:00", "2d"),
    "ci known": (True, "42", False),
    "similar open incident": (True, "ticket 12, ticket 9", False),
}


@pytest.mark.parametrize("key", MET)
def test_a_condition_is_met_by_what_it_asks_for_and_by_nothing_else(key: str) -> None:
    wanted, text, other = MET[key]
    assert condition_from(key, wanted).met(full()) == Verdict(True, text)
    assert not condition_from(key, other).met(full()).met


def test_every_field_is_tried_above() -> None:
    fields = {*TEXT_FIELDS, *SIZE_FIELDS, *COUNT_FIELDS, *AGE_FIELDS, *FLAG_FIELDS}
    assert {f for f in fields if not any(key == f or key.startswith(f"{f} ") for key in MET)} == set()


NOTHING = facts(letter("hello", "nothing", attachments=()), customer="", person_roles=frozenset())


@pytest.mark.parametrize(
    "key",
    [
        "contract is", "person is", "person team is", "customer is", "ticket state in", "ticket kind is", "ticket tag is",
        "ticket category within", "ticket team is", "ticket severity is", "ticket assignee is", "ticket customer is",
        "ci is", "order starts with", "error code is", "customers affected over", "date older than", "date newer than",
        "arrival older than", "ticket older than", "ticket newer than", "ci known", "similar open incident", "region is",
    ],
)  # fmt: skip
def test_a_field_without_a_value_meets_nothing(key: str) -> None:
    assert not condition_from(key, MET[key][0]).met(NOTHING).met


def test_without_a_contract_or_a_ticket_the_mail_is_new_and_nothing_is_in_force() -> None:
    assert condition_from("mail is", "new").met(NOTHING).met and condition_from("ci known", False).met(NOTHING).met
    assert condition_from("contract state is", "none").met(NOTHING).met
    assert condition_from("proof in", ["unproved"]).met(NOTHING).met


MISUSED = {
    "proof": ("proof is", "sure", "no proof is called 'sure'; write one of proved, unproved, token"),
    "contract state": ("contract state is", "in_force", "(did you mean 'in force'?)"),
    "ticket state": ("ticket state is", "onhold", "(did you mean 'on_hold'?)"),
    "ticket severity": ("ticket severity is", 5, "no ticket severity is called '5'; write one of 1, 2, 3, 4"),
    "mail": ("mail is", "answer", "no mail is called 'answer'; write one of new, reply"),
    "within of a text": ("subject within", "x", "'subject' cannot be compared by 'within'"),
    "age of no time": ("date older than", "soon", "'date older than' is a time such as 15m, 4h or 2d, got 'soon'"),
    "age of a number": ("ticket older than", 3, "is a time such as 15m, 4h or 2d, got 3"),
    "older without a field": ("older than", "3d", "no condition is called 'older than'"),
    "age in other words": ("date over", "3d", "'date' cannot be compared by 'over'; it knows older than, newer than"),
    "count of text": ("attachment count over", "many", "wants a whole number, as in 'attachment count over: 3', got 'many'"),
    "count of minus": ("recipient count over", -1, "wants a whole number"),
    "count of yes": ("recipient count over", True, "wants a whole number"),
    "count in other words": ("recipient count contains", 3, "it knows over, under, is"),
    "flag of text": ("ci known", "yes", "'ci known' is true or false, got 'yes'"),
    "more words than there are": ("text contains 3 of", ["a", "b"], "'contains 3 of' has 2 words; write a number from 1"),
    "none of the words": ("text mentions 0 of", ["a", "b"], "write a number from 1"),
    "look-ahead": ("text matches", "a(?=b)", "RE2 has no look-ahead, look-behind or back-references; say it with all:"),
    "back-reference": ("text matches", r"(a)\1", "RE2 has no look-ahead"),
    "too many repeats": ("text matches", "a{2000}", "write smaller numbers in braces"),
    "too much work": ("text matches", ".{1000}", "would take too long on every mail; write smaller numbers in braces"),
    "too long": ("text matches", "x" * 1001, "has 1001 characters; write at most 1000"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISUSED)
def test_a_misused_condition_says_what_to_write_instead(name: str) -> None:
    key, value, cure = MISUSED[name]
    with pytest.raises(ConditionError) as caught:
        condition_from(key, value)
    assert cure in str(caught.value)


def test_a_pattern_that_would_hang_a_backtracking_engine_is_answered_at_once() -> None:
    # A backtracking engine would not be done before the sun burns out.
    mail = facts(letter("", "a" * 100_000 + "!"))
    assert not condition_from("text matches", "^(a+)+$").met(mail).met
    assert condition_from("text matches", "(a*)*b|a!").met(facts(letter("", "a!"))).met


def test_patterns_look_at_the_beginning_of_a_huge_text() -> None:
    mail = facts(letter("", "x" * 300_000 + "needle"))
    assert not condition_from("text matches", "needle").met(mail).met
    assert condition_from("text contains", "needle").met(mail).met


@given(
    st.lists(
        st.sampled_from(
            ["a", "B", "ss", "ß", "断", "-", " ", "\\.", "\\n", "\\b", ".", "[ab]", "[^a]", "(ab|断)", "(?:B)?", "c{0,2}", "d{2}",
             "e?", "f*", "g+", "|", "^", "$", "\\w+", "ＶＰ", "：", "((a|b)c)*", "[]a]", "(?P<n>x)", "{,3}"]
        ),
        min_size=1, max_size=7,
    ).map("".join),
    st.text("aABbSsßcdefgx断vp：VPＶＰ.-\n ]{,3}", max_size=12),
)  # fmt: skip
@settings(max_examples=1500, deadline=None)
def test_what_is_looked_for_first_hides_nothing_that_a_pattern_finds(pattern: str, text: str) -> None:
    try:
        condition = condition_from("text matches", pattern)
    except ConditionError:
        return
    plain = Capture(f"({pattern})", ("text",))
    mail = facts(letter("", text))
    if plain._compiled.search(mail.texts("text")[0].signs):
        assert condition.met(mail).met
        assert not telltales(pattern) or any(word in alike(text) for word in telltales(pattern))


# --- signs and characters ---


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("【告警】磁盘。", "[告警]磁盘."),
        ("“断网”", '"断网"'),
        ("ＶＰＮ：断了，急！", "vpn:断了,急!"),
        ("《合同》", "<合同>"),
    ],
)
def test_width_and_signs_do_not_count(written: str, meant: str) -> None:
    for one, other in ((written, meant), (meant, written)):
        assert condition_from("subject is", one).met(facts(letter(other))).met
        assert condition_from("subject contains", one).met(facts(letter(f"Re: {other} ..."))).met


@pytest.mark.parametrize("pattern", ["^【告警】", r"^\[告警\]", "^[【\\[]告警", "告警】：?急", r"(?-i)^【告警】"])
@pytest.mark.parametrize("subject", ["【告警】：急！", "[告警]:急!"])
def test_patterns_find_chinese_signs_and_plain_ones(pattern: str, subject: str) -> None:
    verdict = condition_from("subject matches", pattern).met(facts(letter(subject)))
    assert verdict.met and verdict.text in subject.replace("：", ":").replace("！", "!")


def test_a_pattern_may_ask_for_full_width_letters_as_they_were_written() -> None:
    assert condition_from("subject matches", "[^\\x00-\\x7f]{3}").met(facts(letter("ＶＰＮ"))).met
    assert not condition_from("subject matches", "[^\\x00-\\x7f]").met(facts(letter("VPN"))).met


def test_traditional_characters_are_simplified_ones_only_where_that_is_wanted() -> None:
    mail, same = letter("網路連線中斷", "資料庫無法連線"), {"simplified": True}
    for key, value in (("subject contains", "网路"), ("text matches", "资料库.*连线"), ("text mentions", "資料庫")):
        wanted = condition_from(key, value, simplified=True)
        assert wanted.met(facts(mail, **same)).met and wanted.met(facts(letter("网路", "资料库无法连线"), **same)).met
    assert not condition_from("subject contains", "网路").met(facts(mail)).met
    assert alike("臺灣 發票", True) == "台湾 发票" and alike("臺灣") == "臺灣"


# --- the files ---


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in (ROOT / "rules").glob("*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def book(folder: Path, text: str, **included: str) -> Rulebook:
    return load_rulebook(written(folder, text, **included))


def written(folder: Path, text: str, **included: str) -> Path:
    (folder / "routing.yaml").write_text(text, "utf-8")
    (folder / "routing").mkdir(exist_ok=True)
    for name, more in included.items():
        (folder / "routing" / f"{name}.yaml").write_text(more, "utf-8")
    return folder


def problems(folder: Path, text: str, **included: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        book(folder, text, **included)
    return [str(p).removeprefix(f"{folder}/") for p in caught.value.problems]


RULE = "  - {{name: {0}, when: {{subject contains: {0}}}, then: {{team: network}}}}\n"


def test_a_list_is_used_alone_and_among_other_words(folder: Path) -> None:
    rules = book(
        folder,
        """
lists:
  partners: [acme.example, acme.test]
  vpn words: [vpn, 专线]
rules:
  - {name: partner, when: {sender domain in: {list: partners}}, then: {tags: [p]}}
  - {name: vpn, when: {subject contains: [remote access, {list: vpn words}]}, then: {tags: [v]}}
  - {name: two, when: {text contains 2 of: {list: vpn words}}, then: {tags: [two]}}
""",
    )
    assert route(facts(letter("专线断了")), rules).tags == ("p", "v")
    assert route(facts(letter("Remote Access", "VPN 专线")), rules).tags == ("p", "v", "two")
    assert route(facts(letter("x", senders=(Address("", "a@b.example"),))), rules).tags == ()


def test_named_conditions_are_made_of_others_in_any_order(folder: Path) -> None:
    rules = book(
        folder,
        """
conditions:
  grave: {condition: [night, urgent]}
  night: {outside working hours: business}
  urgent: {any: [{subject contains: 急}, {header X-Priority starts: 1}]}
rules:
  - {name: a, when: {condition: grave}, then: {severity at least: 1}}
  - {name: b, when: {condition: urgent, not: {condition: night}}, then: {severity at least: 2}}
""",
    )
    assert route(facts(letter("急")), rules).severity == 2
    assert route(facts(letter("急"), working={"business": False}), rules).severity == 1
    assert rules.rules[0].when.describe().startswith("grave (")


def test_included_rules_stand_where_they_are_included_and_count_in_the_version(folder: Path) -> None:
    text = "rules:\n" + RULE.format("first") + "  - include: routing/network.yaml\n" + RULE.format("last")
    network = "lists: {words: [vpn]}\nrules:\n" + RULE.format("middle") + "  - include: routing/more.yaml\n"
    one = book(folder, text, network=network, more="rules:\n" + RULE.format("deep"))
    two = book(folder, text, network=network + "# changed\n", more="rules:\n" + RULE.format("deep"))

    assert [(r.name, r.where) for r in one.rules] == [
        ("first", "routing.yaml:2"), ("middle", "routing/network.yaml:3"), ("deep", "routing/more.yaml:2"),
        ("last", "routing.yaml:4"),
    ]  # fmt: skip
    assert one.version != two.version and "routing/more.yaml" in one.files


def test_rules_load_from_their_bytes_as_from_their_folder(folder: Path) -> None:
    text = "rules:\n  - include: routing/network.yaml\n"
    there = book(folder, text, network="rules:\n" + RULE.format("vpn"))
    again = load_rulebook(RuleFiles(Path("kept"), there.files))
    assert again == there
    kept = {name: content for name, content in there.files.items() if "/" not in name}
    assert [str(p) for p in load_partly(RuleFiles(Path("kept"), kept))[1]] == [
        "kept/routing.yaml:2: there is no file 'routing/network.yaml' to include (did you mean 'routing.yaml'?)"
    ]


def test_lists_and_captures_of_an_included_file_count_everywhere(folder: Path) -> None:
    rules = book(
        folder,
        "rules:\n  - include: routing/words.yaml\n  - {name: a, when: {subject in: {list: w}}, then: {tags: [t]}}\n",
        words="lists: {w: [x]}\ncaptures: [{into: ci, pattern: 'ASSET-(\\d+)'}]\nerror_codes: ['E(\\d+)']\n",
    )
    routed = route(facts(letter("x", "ASSET-1 E77"), captures=rules.captures), rules)
    assert (routed.tags, routed.ci, routed.error_codes) == (("t",), "1", ("77",))


BROKEN = {
    "a list that is not": (
        "lists: {vpn: [vpn]}\nrules:\n  - {name: a, when: {subject in: {list: vpm}}, then: {team: network}}\n",
        "routing.yaml:3: no list is called 'vpm' (did you mean 'vpn'?)",
    ),
    "an empty list": ("lists: {vpn: []}\nrules: []\n", "routing.yaml:1: the list 'vpn' is empty; write at least one word"),
    "a table that is no list": (
        "rules:\n  - {name: a, when: {subject in: {lists: vpn}}, then: {team: network}}\n",
        "routing.yaml:2: a list of words has no key 'lists' (did you mean 'list'?)",
    ),
    "a list of the wrong names": (
        "lists: {ours: [acme, nobody]}\nrules:\n  - {name: a, when: {customer in: {list: ours}}, then: {tags: [x]}}\n",
        "routing.yaml:3: no customer is called 'nobody'",
    ),
    "a condition that is not": (
        "conditions: {night: {outside working hours: business}}\n"
        "rules:\n  - {name: a, when: {condition: nigth}, then: {team: network}}\n",
        "routing.yaml:3: no condition is called 'nigth' (did you mean 'night'?)",
    ),
    "a condition made of itself": (
        "conditions:\n  a: {not: {condition: b}}\n  b: {condition: a}\nrules: []\n",
        "routing.yaml:3: 'a' is made of itself, or of too many others (a → b → a); take it out here",
    ),
    "an option that is not": ("options: {simplifed: true}\nrules: []\n", "routing.yaml:1: 'options' has no key 'simplifed'"),
    "a person that is not": (
        "rules:\n  - {name: a, when: {person is: wang.wie}, then: {team: network}}\n",
        "routing.yaml:2: no person is called 'wang.wie' (did you mean 'wang.wei'?)",
    ),
    "a team of a person that is not": (
        "rules:\n  - {name: a, when: {person team is: netwrk}, then: {team: network}}\n", "routing.yaml:2: no team is called",
    ),
    "a category of the ticket that is not": (
        "rules:\n  - {name: a, when: {ticket category within: netwrk}, then: {team: network}}\n",
        "routing.yaml:2: no category is called 'netwrk'",
    ),
    "a capture into nothing": (
        "captures:\n  - {into: asset, pattern: '(x)'}\nrules: []\n",
        "routing.yaml:2: nothing is captured into 'asset'; write one of ci, order, code, region",
    ),
    "a capture of nothing": (
        "captures:\n  - {into: ci}\nrules: []\n", "routing.yaml:2: a capture needs one of pattern: 'ASSET-(\\d+)' and words:",
    ),
    "a capture without brackets": (
        "captures:\n  - {into: ci, pattern: 'ASSET'}\nrules: []\n",
        "routing.yaml:2: the pattern has no group; put brackets around the ci itself",
    ),
    "a capture in nothing": (
        "captures:\n  - {into: ci, pattern: '(x)', in: [subjekt]}\nrules: []\n",
        "routing.yaml:2: a capture cannot look into 'subjekt' (did you mean 'subject'?)",
    ),
    "a capture of a rule into nothing": (
        "rules:\n  - {name: a, capture: {oder: '(x)'}}\n",
        "routing.yaml:2: nothing is captured into 'oder' (did you mean 'order'?)",
    ),
    "an include that is not there": (
        "rules:\n  - include: routing/netwrk.yaml\n",
        "routing.yaml:2: there is no file 'routing/netwrk.yaml' to include (did you mean 'routing/network.yaml'?)",
    ),
    "an include out of the folder": (
        "rules:\n  - include: ../secret.yaml\n", "routing.yaml:2: '../secret.yaml' is no path within the folder of the rules",
    ),
    "an include from the root": ("rules:\n  - include: /etc/passwd\n", "routing.yaml:2: '/etc/passwd' is no path within"),
    "an include of a rule file": (
        "rules:\n  - include: people.yaml\n", "routing.yaml:2: 'people.yaml' has its own place and cannot be included",
    ),
    "an include with more to say": (
        "rules:\n  - {include: routing/network.yaml, stop: true}\n", "routing.yaml:2: an include has no key 'stop'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_is_said_with_line_and_cure(name: str, folder: Path) -> None:
    text, expected = BROKEN[name]
    found = problems(folder, text, network="rules: []\n")
    assert any(p.startswith(expected) for p in found), found


def test_an_endless_include_is_refused_with_its_way(folder: Path) -> None:
    text = "rules:\n  - include: routing/a.yaml\n"
    found = problems(folder, text, a="rules:\n  - include: routing/b.yaml\n", b="rules:\n  - include: routing/a.yaml\n")
    assert found == [
        "routing/b.yaml:2: 'routing/a.yaml' includes itself without end: "
        "routing/a.yaml → routing/b.yaml → routing/a.yaml; take this line out"
    ]


def test_a_file_is_included_once_and_says_nothing_that_is_said_already(folder: Path) -> None:
    text = "lists: {w: [x]}\nrules:\n  - include: routing/a.yaml\n  - include: routing/a.yaml\n" + RULE.format("r")
    assert problems(folder, text, a="lists: {w: [y]}\nrules:\n" + RULE.format("r")) == [
        "routing.yaml:4: 'routing/a.yaml' is included already (routing.yaml:3); keep one of the two lines",
        "routing.yaml:5: another rule (routing/a.yaml:3) is called 'r'; names tell rules apart",
        "routing/a.yaml:1: 'w' is said already (routing.yaml:1); use another name here",
    ]


def test_a_link_out_of_the_folder_is_not_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "r.yaml"
    outside.write_text("rules: []\n")
    (folder / "linked.yaml").symlink_to(outside)
    assert "routing.yaml:2: 'linked.yaml' lies outside the folder of the rules; copy it here" in problems(
        folder, "rules:\n  - include: linked.yaml\n"
    )


def test_a_file_that_nobody_includes_is_complained_of(folder: Path) -> None:
    assert problems(folder, "rules: []\n", forgotten="rules: []\n") == [
        "routing/forgotten.yaml: is included by no file; write '- include: routing/forgotten.yaml' under 'rules:' in "
        "routing.yaml, or take it away"
    ]


def test_a_copy_of_the_rules_within_their_folder_is_told_once(folder: Path) -> None:
    shutil.copytree(ROOT / "rules", folder / "old", ignore=shutil.ignore_patterns("schema"))
    assert problems(folder, "rules: []\n") == [
        "old: holds a whole set of rules, which nothing reads: move it out of the folder of the rules, and try it with "
        "'ticketd rules backtest DIR'"
    ]


@pytest.mark.parametrize("word", ["any", "all"])
def test_an_empty_list_of_conditions_is_refused(folder: Path, word: str) -> None:
    (told,) = problems(folder, f"rules:\n  - {{name: x, when: {{{word}: []}}, then: {{tags: [x]}}}}\n")
    assert told == f"routing.yaml:2: '{word}' has an empty list; write at least one condition, or take it out"


@pytest.mark.parametrize(
    ("word", "read"), [("null", "got nothing: so YAML reads null"), ("true", "got yes or no: so YAML reads true")]
)
def test_a_word_that_yaml_takes_for_something_else_is_told(folder: Path, word: str, read: str) -> None:
    text = "rules:\n  - {name: x, when: {subject contains: [no, yes, %s]}, then: {tags: [x]}}\n"
    (told,) = problems(folder, text % word)
    assert told.startswith("routing.yaml:2: 'contains' wants one text, " + read)
    assert f"put quotes around the word, as in '{word}'" in told
    assert book(folder, text % "off").rules[0].when == condition_from("subject contains", ["no", "yes", "off"])


def test_more_files_than_anybody_needs_are_refused(folder: Path) -> None:
    names = [f"f{n}" for n in range(101)]
    text = "rules:\n" + "".join(f"  - include: routing/{n}.yaml\n" for n in names)
    found = problems(folder, text, **dict.fromkeys(names, "rules: []\n"))
    assert "routing.yaml:102: more than 100 files are included; put some of them together" in found


def test_five_thousand_rules_are_read_and_one_more_is_refused(folder: Path) -> None:
    many = "rules:\n" + "".join(RULE.format(f"r{n}") for n in range(MAX_RULES))
    assert len(book(folder, many).rules) == MAX_RULES
    found = problems(folder, many + RULE.format("more"))
    assert found == ["routing.yaml:1: there are 5001 rules; at most 5000 are read, join some with 'any:'"]


def test_a_rule_that_unfolds_without_end_is_refused(folder: Path) -> None:
    names = "".join(f"  c{n}: {{any: [{{condition: c{n - 1}}}, {{condition: c{n - 1}}}]}}\n" for n in range(1, 15))
    text = (
        "conditions:\n  c0: {subject is: x}\n"
        + names
        + "rules:\n  - {name: a, when: {condition: c14}, then: {tags: [x]}}\n"
    )
    assert problems(folder, text) == [
        "routing.yaml:18: the rule is made of 16384 conditions; write at most 1000, or a list of words"
    ]


def test_the_option_reaches_rules_lists_and_captures(folder: Path) -> None:
    text = """
options: {simplified: true}
lists: {w: [數據庫]}
captures: [{into: place, pattern: '机房([A-Z])'}]
rules:
  - {name: a, when: {subject contains: {list: w}}, then: {tags: [t]}}
"""
    rules = book(folder, text)
    mail = facts(letter("数据库", "機房B 斷電"), captures=rules.captures, simplified=rules.simplified)
    assert (route(mail, rules).tags, route(mail, rules).place) == (("t",), "B")


# --- captures, as people meet them ---


CAPTURING = """
captures:
  - {into: ci, pattern: 'ASSET-(\\d+)', in: [subject, text]}
  - {into: order, pattern: '(?:订单号?|order)[ :：]*([A-Z]{2}-\\d+)'}
  - {into: region, pattern: '([^\\s,]{2,6})地区'}
  - {into: affected, pattern: '影响(?:了)?(?:约)?([\\d,.]+万?)户'}
  - {into: service, words: [专线, VPN]}
rules:
  - {name: server, when: {text contains: 服务器}, capture: {ci: '(srv-\\d+)', code: 'E(\\d+)'}, then: {team: server}}
  - {name: many, when: {customers affected over: 1000}, then: {severity at least: 2}}
  - {name: like, when: {similar open incident: true}, then: {tags: [again]}}
  - {name: rest, then: {category: other}}
"""


@pytest.fixture
def desk(tmp_path: Path, folder: Path) -> TestDesk:
    rules = book(folder, CAPTURING)
    desk = TestDesk(tmp_path / "desk")
    desk.desk.rulebook = rules
    return desk


CUSTOMER = "Zhang San <zhang.san@huaxin.example>"


def test_what_the_mail_names_is_on_the_record(desk: TestDesk) -> None:
    desk.receives(write(CUSTOMER, "订单号：HX-2041，ASSET-77 连不上，德国地区，影响约1.2万户。", subject="VPN 断了"))
    ticket = desk.ticket(1)
    assert (ticket.ci, ticket.order, ticket.region, ticket.affected) == ("77", "HX-2041", "德国 Germany", 12000)
    assert (ticket.service, ticket.severity) == ("VPN", 2)


def test_what_is_no_region_of_ours_is_left_out(desk: TestDesk) -> None:
    desk.receives(write(CUSTOMER, "火星地区断网了"))
    assert desk.ticket(1).region == "广东"  # the customer's own


def test_a_rule_captures_only_where_it_holds_and_says_it_first(desk: TestDesk) -> None:
    desk.receives(write(CUSTOMER, "srv-9 不通，E44", subject="一"))
    desk.receives(write(CUSTOMER, "服务器 srv-9 不通，E44，ASSET-1", subject="二"))
    assert (desk.ticket(1).ci, desk.ticket(1).error_codes) == ("", ())
    assert (desk.ticket(2).ci, desk.ticket(2).error_codes) == ("srv-9", ("44",))


def test_what_is_read_out_of_a_mail_is_one_short_line_without_unseen_signs(folder: Path) -> None:
    rule = "rules:\n  - {name: c, capture: {%s: '(?s)码(.+)'}, then: {tags: [x]}}\n"
    for field in ("ci", "order", "code", "service", "place"):
        (finding,) = book(folder, rule % field).rules[0].captures
        (word,) = finding.found(facts(letter("", "码 a\n#已解决\u202e b\u200b\x07 c" + "长" * 5000)))
        assert word.startswith("a #已解决 b c长") and len(word) == 200
        assert word.isprintable()


def test_explicit_words_of_the_mail_win(desk: TestDesk) -> None:
    text = "#ci core-1\n#affected 5\nASSET-77 连不上，影响1200户"
    staff = "Mary Jones <mary.jones@example.com>"
    results = "test.example; dmarc=pass header.from=example.com"
    desk.desk.service = replace(desk.desk.service, trust=Trust(authserv_ids=frozenset({"test.example"})))
    desk.receives(write(staff, text, authentication_results=results))
    assert (desk.ticket(1).ci, desk.ticket(1).affected) == ("core-1", 5)


def test_a_like_incident_that_is_open_is_known_to_rules(desk: TestDesk) -> None:
    desk.receives(write(CUSTOMER, "三楼打印机卡纸，打不出来", subject="打印机卡纸"))
    desk.receives(write("Ann <ann@acme.example>", "三楼打印机又卡纸了", subject="打印机卡纸，打不出来"))
    desk.receives(write("Bob <bob@acme.example>", "How do I get a new badge?", subject="Badge"))
    assert [desk.ticket(n).tags for n in (1, 2, 3)] == [(), ("again",), ()]


def test_nobody_looks_for_like_incidents_where_no_rule_asks(folder: Path) -> None:
    assert book(folder, CAPTURING).asks_similar
    assert not book(folder, "rules: []\n").asks_similar and not load_rulebook(ROOT / "rules").asks_similar


def test_a_capture_that_fails_is_noted_and_mail_goes_on() -> None:
    rules = Rulebook(captures=(Finding("ci", Capture("(x)", ("nowhere",))),))
    routed = route(facts(letter("x"), captures=rules.captures), rules)
    assert routed.ci == "" and routed.problems[0].startswith("a capture (ci from nowhere: (x)) was skipped: ")


def test_ages_are_counted_across_zones() -> None:
    berlin = datetime.fromisoformat("2026-11-23T02:30:00+01:00")  # 09:30 in Shanghai
    mail = facts(letter("x", date=berlin))
    assert condition_from("date newer than", "31m").met(mail).met
    assert not condition_from("date newer than", "29m").met(mail).met
    assert not condition_from("date newer than", "9d").met(facts(letter("x", date=datetime(2026, 11, 23)))).met
