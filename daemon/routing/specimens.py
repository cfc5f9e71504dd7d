"""From the short form of a mail, in a rule's examples or a test of the rules, to a Specimen; and from tables to tests.

What comes in: an Item (a subject, or a table of what is known of the mail), the names met so far, and Complaints. What
goes out: a Specimen, or RuleTests; what is wrong is complained of. This file alone knows the keys of both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from daemon.routing.conditions import ConditionError, size_in_bytes
from daemon.routing.items import Complaints, Item, Known, Names, Table, as_list, as_table, as_text, each
from daemon.rulebook import Enclosure, Rulebook, RuleTest, Specimen
from daemon.words import CASES, Level, Proof, Severity

SPECIMEN_KEYS = {
    "mail": "a file of a mail, from the folder of the rules on: tests/mails/vpn.eml",
    "from": "the sender: name@example.com, or Anna Meyer <anna@acme.example>",
    "customer": "instead of from: somebody of this customer",
    "person": "instead of from: this person of people.yaml",
    "to": "the recipients; if not said, the service's address",
    "cc": "who else gets it",
    "subject": "the subject",
    "text": "the text",
    "headers": "further headers, as in {X-Priority: 1}",
    "attachments": "names of files, or {name, type, size}",
    "size": "the size of the whole mail",
    "at": "when it comes: 2026-11-24 22:00 (the service's zone, or with an offset)",
    "mailbox": "the [[mailbox]] that it comes in by",
    "proof": "how sure we are of the sender: token, verified, none, failed; if not said, verified",
}
EXPECTATIONS = {
    "outcome": "what becomes of the mail: ticket, rejected, ignored, forwarded, quarantined",
    "category": "what the ticket is about",
    "kind": "incident or service_request",
    "team": "the team that gets it",
    "assignee": "the person whom a rule gives it to",
    "severity": "1, 2, 3 or 4",
    "impact": "high, medium or low",
    "urgency": "high, medium or low",
    "line": "the line of support",
    "ci": "the configuration item",
    "service": "the service",
    "place": "where it is",
    "region": "the region",
    "order": "the number of an order that is read out of it",
    "affected": "how many customers are affected",
    "approval": "who has to approve it",
    "customer": "whose report it is",
    "alert": "the alert of alerts.yaml that it is taken for",
    "tags": "tags that it must have; there may be more",
    "watchers": "who must follow it; there may be more",
    "notify": "whom rules tell of it; there may be more",
    "error_codes": "error codes that must be found",
    "rules": "rules that must match",
    "not_rules": "rules that must not match",
}
OUTCOMES = ("ticket", "rejected", "ignored", "forwarded", "quarantined")
LISTED = frozenset({"tags", "watchers", "notify", "error_codes", "rules", "not_rules"})
"""The expectations that may hold several things."""
TEST_KEYS = ("name", "mail", "at", "expect")
_MAIL = ".eml"
_LIKE_A_TIME = re.compile(r"'\d{4}-\d\d-\d\d\b")
_HEADER = re.compile(r"[!-9;-~]{1,76}")


def specimens_from(item: Item | None, known: Known, bad: Complaints) -> tuple[Specimen, ...]:
    """Return the mails under `examples:` or `counter_examples:`, one or a list."""
    return tuple(specimen_from(entry, known, bad) for entry in each(item)) if item else ()


def specimen_from(item: Item, known: Known, bad: Complaints) -> Specimen:
    """Return the mail that a short form stands for; a text alone is its subject."""
    if isinstance(item.value, str | int):
        text = as_text(item, bad, "an example")
        file, subject = (text, "") if text.endswith(_MAIL) else ("", text)
        return Specimen(subject=subject, file=file, where=item.where, shown=item.shown())
    table = Table(item, SPECIMEN_KEYS, bad, "a mail in short")
    _says_enough(table)
    subject = table.text("subject")
    return Specimen(
        file=table.text("mail"),
        sender=table.text("from"),
        customer=table.reference("customer", known.customers),
        person=table.reference("person", known.people),
        to=table.texts("to"),
        cc=table.texts("cc"),
        subject=subject,
        text=table.text("text"),
        headers=_headers(table),
        attachments=_attachments(table),
        size=_size(table),
        at=_moment(table),
        mailbox=table.text("mailbox"),
        proof=next(iter(table.choices("proof", Proof)), None),
        where=item.where,
        shown=f"'{subject or table.text('mail') or table.text('text')[:60]}'",
    )


def _says_enough(table: Table) -> None:
    said = set(table.entries)
    words = {"subject", "text", "headers", "attachments", "from", "customer", "person", "to", "cc", "size"}
    if "mail" in said and said & words:
        key = sorted(said & words)[0]
        table.bad.add(table.entries[key], f"'mail' has '{key}' already; take one of them out")
    if said and not said & (words | {"mail"}):
        table.bad.add(table.item, "a mail in short says what is in it; write subject: or text: or mail: FILE")
    senders = sorted(said & {"from", "customer", "person"})
    if len(senders) > 1:
        table.bad.add(table.entries[senders[1]], f"the sender is named by '{senders[0]}' already; take one of them out")


def _headers(table: Table) -> tuple[tuple[str, str], ...]:
    item = table.get("headers")
    found = as_table(item, table.bad, "'headers'") if item else {}
    for name, entry in found.items():
        if not _HEADER.fullmatch(name):
            table.bad.add(entry, f"'{name}' is no name of a header; write one as in X-Priority")
    return tuple((n, as_text(i, table.bad, n)) for n, i in found.items() if _HEADER.fullmatch(n))


def _attachments(table: Table) -> tuple[Enclosure, ...]:
    item = table.get("attachments")
    return tuple(_attachment(entry, table.bad) for entry in each(item)) if item else ()


def _attachment(item: Item, bad: Complaints) -> Enclosure:
    if not isinstance(item.value, dict):
        return Enclosure(name=as_text(item, bad, "attachments"))
    table = Table(item, ("name", "type", "size"), bad, "an attachment")
    return Enclosure(name=table.text("name"), type=table.text("type"), size=_size(table) or 1000)


def _size(table: Table) -> int:
    item = table.get("size")
    try:
        return size_in_bytes(item.value) if item else 0
    except ConditionError as error:
        table.bad.add(item or table.item, str(error))
        return 0


def _moment(table: Table) -> datetime | None:
    item = table.get("at")
    try:
        return datetime.fromisoformat(str(item.value)) if item else None
    except ValueError as error:
        shown = item.shown() if item else ""
        no_such = f" ({error})" if _LIKE_A_TIME.match(shown) else ""
        table.bad.add(item or table.item, f"'at' is a time such as 2026-11-24 22:00, got {shown}{no_such}")
        return None


# --- tables of tests ---


def tests_from(item: Item, rulebook: Rulebook, bad: Complaints) -> tuple[RuleTest, ...]:
    """Return the tests of one file, in its order."""
    known = known_of(rulebook)
    rules = Names("rule", "routing.yaml")
    for rule in (*rulebook.rules, *rulebook.switched_off):
        rules.add(item, rule.name, Complaints())
    return tuple(_test(entry, known, rules, bad) for entry in as_list(item, bad, "a file of tests"))


def known_of(rulebook: Rulebook) -> Known:
    """Return the names that a rulebook gives to things, for files that are read beside it."""
    known, nowhere, silence = Known(), Item("", 0, None), Complaints()
    for names, things in (
        (known.people, rulebook.people),
        (known.teams, rulebook.teams),
        (known.categories, rulebook.categories),
        (known.customers, rulebook.customers),
    ):
        for key, thing in things.items():
            names.add(nowhere, key, silence, getattr(thing, "aliases", ()))
    return known


def _test(item: Item, known: Known, rules: Names, bad: Complaints) -> RuleTest:
    table = Table(item, TEST_KEYS, bad, "a test")
    table.need("name", "what it shows")
    mail, expect = table.need("mail", "{subject: VPN 连不上}"), table.need("expect", "{category: network/vpn}")
    specimen = specimen_from(mail, known, bad) if mail else Specimen()
    return RuleTest(
        name=table.text("name"),
        mail=replace(specimen, at=_moment(table) or specimen.at),
        expect=_expectations(expect, known, rules, bad) if expect else {},
        where=item.where,
    )


def _expectations(item: Item, known: Known, rules: Names, bad: Complaints) -> dict[str, str | tuple[str, ...]]:
    table = Table(item, EXPECTATIONS, bad, "'expect'")
    found = {fact: table.texts(fact) for fact in EXPECTATIONS if table.get(fact)}
    for fact, words in found.items():
        entry = table.entries[fact]
        if fact not in LISTED and len(words) > 1:
            bad.add(entry, f"'{fact}' is one thing; write one of them")
        found[fact] = tuple(_known_word(fact, word, entry, known, rules, bad) for word in words)
    return {fact: words if fact in LISTED else words[0] for fact, words in found.items() if words}


def _known_word(fact: str, word: str, item: Item, known: Known, rules: Names, bad: Complaints) -> str:
    """Return a word that is expected, by the key that it stands for; complain of what there can never be."""
    names = {"category": known.categories, "team": known.teams, "assignee": known.people, "customer": known.customers}
    choices: dict[str, Iterable[str]] = {
        "severity": [str(int(s)) for s in Severity],
        "impact": Level,
        "urgency": Level,
        "outcome": OUTCOMES,
    }
    choices["kind"] = CASES
    if fact in names:
        return names[fact].find(item, word, bad)
    if fact in ("rules", "not_rules"):
        return rules.find(item, word, bad)
    if fact in choices and word not in list(choices[fact]):
        bad.add(item, f"'{fact}' is never '{word}'; write one of {', '.join(choices[fact])}")
    return word
