"""An office in which everybody speaks one language, for conversations that are held in Chinese and in English.

What comes in: "zh" or "en". What goes out: a desk whose people and customers all have this language, that knows a vendor,
and that believes the border mx.example.com, so that anybody can be let speak without a mail of ours to answer.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from unittest.mock import patch

from daemon.app import open_renderer
from daemon.config import Config, starter_config
from daemon.notify.envelope import Keys
from daemon.notify.render import Renderer
from daemon.routing.loader import load_rulebook
from daemon.rulebook import Person, Rulebook
from daemon.service import Service
from daemon.words import Role
from tests.desk import MONDAY_10AM, ROOT, Sent, TestDesk, write

CUSTOMER = "Zhang San <zhang.san@huaxin.example>"
COLLEAGUE = "Li Si <li.si@huaxin.example>"
STRANGER = "Eve <eve@elsewhere.example>"
ENGINEER = "Wang Wei <wang.wei@example.com>"
LEAD = "Zhao Min <zhao.min@example.com>"
OTHER_ENGINEER = "Li Na <li.na@example.com>"
DESK = "Chen Jing <chen.jing@example.com>"
PM = "Sun Li <sun.li@example.com>"
OTHER_PM = "Mary Jones <mary.jones@example.com>"
MANAGER = "Zhou Qiang <zhou.qiang@example.com>"
DIRECTOR = "Wu Fang <wu.fang@example.com>"
SALES = "Zheng Hao <zheng.hao@example.com>"
VENDOR = "Gao Feng <gao.feng@vendor.example>"

SHIPPED = load_rulebook(ROOT / "rules")
_TOML = starter_config().replace("authserv_ids = []", 'authserv_ids = ["mx.example.com"]')
_REPORT = {
    "zh": ("VPN 连不上", "各位好，VPN 今早连不上，提示错误 691。"),
    "en": ("VPN down", "Hello, since this morning the VPN says error 691."),
}
"""An incident of severity 4 for the network team, whose first line is Wang Wei."""


def speaking(language: str) -> Rulebook:
    """Return the shipped rules, where everybody has this language and a name in Latin letters, and a vendor."""
    vendor = Person(
        key="gao.feng", name="Gao Feng", addresses=("gao.feng@vendor.example",), roles=frozenset({Role.VENDOR}), line=3,
        aliases=("华岳网络", "Huayue"),
    )  # fmt: skip
    people = {**SHIPPED.people, vendor.key: vendor}
    named = {k: replace(p, language=language, name=k.replace(".", " ").title()) for k, p in people.items()}
    customers = {k: replace(c, language=language, name=c.key.title(), region="") for k, c in SHIPPED.customers.items()}
    return replace(SHIPPED, people=named, customers=customers)


_VOICES: list[Renderer] = []


def _voice(config: Config, service: Service, keys: Keys) -> Renderer:
    if not _VOICES:
        _VOICES.append(open_renderer(config, service, keys))
    return _VOICES[0]


class Office(TestDesk):
    """A desk where everybody speaks `language`."""

    __test__ = False

    def __init__(self, folder: Path, language: str = "zh", now: datetime = MONDAY_10AM) -> None:
        # Rules and templates are the shipped ones in every office: to read them once is enough.
        with patch("daemon.app.load_rulebook", lambda _: speaking(language)), patch("daemon.app.open_renderer", _voice):
            super().__init__(folder, now=now, toml=_TOML)
        self.language = language
        self.said = 0

    def reports(self, text: str = "", subject: str = "", sender: str = CUSTOMER) -> list[Sent]:
        """Let a customer report something."""
        usual = _REPORT[self.language]
        return self.says(sender, text or usual[1], subject=subject or usual[0])

    def says(self, sender: str, text: str, number: int = 1, *, subject: str = "") -> list[Sent]:
        """Let somebody, proved, write about a ticket, or open one by a subject of their own; return what leaves."""
        self.said += 1
        domain = sender.rpartition("@")[2].rstrip(">")
        verdict = {"Authentication-Results": f"mx.example.com; dmarc=pass header.from={domain}"}
        subject = subject or f"Re: [INC-{number}]"
        return self.receives(write(sender, text, subject=subject, message_id=f"<said-{self.said}@{domain}>", **verdict))

    def opened(self, upto: str = "assigned", number: int = 1, **report: str) -> list[Sent]:
        """Bring one more ticket to this state on the usual way; return what left last."""
        sent = self.reports(**report)
        for state, steps in WAYS[upto]:
            sent = self.says(state, steps, number)
        assert str(self.ticket(number).state) == upto, (upto, self.ticket(number).state)
        return sent


# How a ticket gets into each state: who says what, one after the other.
_TAKEN = (ENGINEER, "#accept")
_SOLVED = (ENGINEER, "#accept\n#resolve renewed the certificate of the gateway")
WAYS: dict[str, tuple[tuple[str, str], ...]] = {
    "new": ((ENGINEER, "#return not ours"),),
    "assigned": ((DESK, "#assign wang.wei"),),
    "in_progress": (_TAKEN,),
    "on_hold": (_TAKEN, (ENGINEER, "#hold customer the log file, please")),
    "resolved": (_SOLVED,),
    "pending_review": (_SOLVED, (CUSTOMER, "#confirm")),
    "archived": (_SOLVED, (CUSTOMER, "#confirm"), (PM, "#archive")),
    "out_of_scope": ((DESK, "#outofscope not in the contract"),),
    "cancelled": ((CUSTOMER, "#cancel"),),
}


def to(sent: list[Sent], who: str, words: str = "") -> Sent:
    """Return the newest mail to somebody whose subject or text holds these words."""
    found = [m for m in sent if m.to == _address(who) and (words in m.subject or words in m.letter.text)]
    assert found, f"nothing to {who} with {words!r} among {[str(m) for m in sent]}"
    return found[-1]


def readers(sent: list[Sent]) -> set[str]:
    """Return who got any of these mails, by the name before the @."""
    return {m.to.partition("@")[0] for m in sent}


def answer(sent: list[Sent], who: str) -> str:
    """Return the one answer to their commands that somebody got, as text."""
    (mail,) = [m for m in sent if m.to == _address(who) and m.letter.header("Auto-Submitted") == "auto-replied"]
    return mail.letter.text


def chinese(text: str) -> bool:
    return any("\u4e00" <= c <= "\u9fff" for c in text)


def _address(who: str) -> str:
    return who.rpartition("<")[2].rstrip(">")
