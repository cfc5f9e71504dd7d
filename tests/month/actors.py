"""The people of the played month: they write when it suits them, answer what they get, and are let loose by a seed.

What comes in: a seed and the mails that ticketd sends. What goes out: mails, each with the moment at which it is written.
They know nothing of ticketd but what stands in its mails.
"""

from __future__ import annotations

import heapq
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import SMTP, default
from email.utils import format_datetime
from zoneinfo import ZoneInfo

from tests.month.books import Books

SERVICE = "support@example.com"
_TAG = re.compile(r"\[INC-(\d+)\]")
_SERIAL = re.compile(r"No\.(\d+)")
_NAMED = re.compile(r"INC-(\d+)")
_ASSIGNED = ("请处理", "For you")
_REVIEW, _REVIEW_LIST = ("请审核：", "Please review: "), re.compile(r"^(请审核：\d+ 张|Please review: \d+$)")
_OVERDUE = ("仍然超时", "Still overdue")
_FOLLOW_UP = ("您满意吗", "How did we do")
_WHAT_NEXT = ("请写下一步", "What comes next")
_REFUSED, _INSISTED = ("关于您的来信", "About your mail"), ("请决定：", "please decide:")
_DOUBTED = ("是否受理？", "Do we take this on?")
_ESCALATED = ("升级提醒", "Escalation, severity", "已超时", "Overdue")
MINUTE = timedelta(minutes=1)
_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

CUSTOMERS = {
    "huaxin": ("zh", "Asia/Shanghai", ["zhang.san", "li.si", "wang.wu", "zhao.liu", "qian.qi"]),
    "rhein": ("en", "Europe/Berlin", ["anna.meyer", "karl.vogt", "jana.lenz", "paul.beck"]),
    "nonstop": ("en", "Asia/Shanghai", ["night.shift", "jim.ross", "lucy.hale", "depot"]),
}
# Monitoring tools, and whether the mail server of the service vouches for what they send.
TOOLS = {"huaxin": ("zabbix@huaxin.example", ""), "nonstop": ("probe@nonstop.example", "mx.example.com")}
SUBJECTS = {
    "zh": ["网络 连不上", "打印机 卡纸", "服务器 很慢", "忘记 密码", "会议室 投影不亮"],
    "en": ["network drops", "printer is jammed", "server is slow", "password forgotten", "projector stays dark"],
}
WORDS = {
    "zh": {
        "accept": "#受理", "progress": "#进展 正在检查，预计今天有结果", "note": "#备注 已经联系机房",
        "plain": "我下午去现场看一看。", "severity": "#级别 2 影响比想的大", "lower": "#级别 4 只影响一个人",
        "hold_customer": "#挂起 客户 请提供设备序列号", "hold_date": "#挂起 客户 到 {date} 等现场开门",
        "hold_vendor": "#挂起 厂商 等配件", "hold_change": "#挂起 变更 到 {date} 等变更窗口", "resume": "#恢复",
        "resolve": "#已解决 更换了故障部件", "return": "#退回 不归我们管", "assign": "#转派 {team}",
        "line2": "#转二线 需要专家", "mistake": "#级别 7", "outofscope": "#不受理 不在服务范围", "inscope": "#受理范围内",
        "archive": "#归档", "reject": "#驳回 请补充原因", "ack": "#知悉",
        "more": "补充一下：今天上午也出现过。", "serial": "序列号是 SN-4711。", "confirm": "#确认", "works": "已解决，谢谢",
        "thanks": "谢谢，辛苦了", "broken": "还是不行，又出现了。", "vendor": "#转厂商 rita.frost 请带配件来",
        "insist": "我们还是需要，请再考虑一下。", "escalate": "#升级 我们完全没法工作", "cancel": "#取消",
    },
    "en": {
        "accept": "#accept", "progress": "#progress we are looking into it", "note": "#note called the site",
        "plain": "I will drop by this afternoon.", "severity": "#severity 2 more people are hit",
        "lower": "#severity 4 only one person is hit", "hold_customer": "#hold customer please send the serial number",
        "hold_date": "#hold customer until {date} the site is closed", "hold_vendor": "#hold vendor waiting for a part",
        "hold_change": "#hold change until {date} change window", "resume": "#resume",
        "resolve": "#resolve replaced the faulty part", "return": "#return not ours", "assign": "#assign {team}",
        "line2": "#line2 needs a specialist", "mistake": "#severity 7", "outofscope": "#outofscope not in the contract",
        "inscope": "#inscope", "archive": "#archive", "reject": "#reject please add the cause", "ack": "#ack",
        "more": "One more thing: it happened this morning too.", "serial": "The serial number is SN-4711.",
        "confirm": "#confirm", "works": "It works again, thank you", "thanks": "Thanks a lot",
        "broken": "It is still broken, sorry.", "vendor": "#vendor rita.frost please bring a part",
        "insist": "We need it all the same.", "on_my_way": "The part is on its way.", "escalate": "#escalate we cannot work at all", "cancel": "#cancel",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Received:
    """One mail as its reader has it before them."""

    to: str
    subject: str
    message_id: str
    reply_to: str
    text: str


def received(raw: bytes, to: str) -> Received:
    mail: Message = message_from_bytes(raw, policy=default)
    body = mail.get_body(("plain",))  # type: ignore[attr-defined]
    return Received(to, str(mail["Subject"]), str(mail["Message-ID"]), str(mail["Reply-To"]), body.get_content())


@dataclass
class Life:
    """What will become of one report: who writes what, in turn, each after so many minutes."""

    serial: int
    customer: str
    reporter: str
    steps: list[tuple[str, str, float]]
    review: str
    number: int = 0
    holder: str = ""
    candidates: list[str] = field(default_factory=list)
    tries: int = 0


@dataclass
class Actors:
    """Everybody who writes. `due` are the moments at which somebody will."""

    seed: int
    grid: timedelta = 15 * MINUTE
    books: Books = field(default_factory=Books)
    dice: random.Random = field(init=False)
    due: list[tuple[datetime, int, Callable[[datetime], EmailMessage | None]]] = field(default_factory=list)
    counted: int = 0
    alarms: list[tuple[datetime, str, str, str]] = field(default_factory=list)
    lives: dict[int, Life] = field(default_factory=dict)
    by_number: dict[int, Life] = field(default_factory=dict)
    desk_tops: dict[tuple[str, int], Received] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    # --- when somebody writes ---

    def plan(self, when: datetime, what: Callable[[datetime], EmailMessage | None]) -> None:
        """Let somebody write then, at the next full stroke of the clock: mails that come together cost one round."""
        self.counted += 1
        over = (when - _NOON) % self.grid
        heapq.heappush(self.due, (when + (self.grid - over) % self.grid, self.counted, what))

    def next(self) -> datetime | None:
        return self.due[0][0] if self.due else None

    def write(self, until: datetime) -> list[tuple[datetime, EmailMessage]]:
        """Return what is written up to then, each mail with its moment."""
        mails = []
        while self.due and self.due[0][0] <= until:
            when, _, what = heapq.heappop(self.due)
            if mail := what(when):
                mails.append((when, mail))
        return mails

    def reports(self, count: int, since: datetime, until: datetime) -> None:
        """Let so many incidents be reported, most of them in office hours."""
        for serial in range(1, count + 1):
            customer = self.dice.choices(list(CUSTOMERS), [5, 4, 3])[0]
            when = since + (until - since) * self.dice.random()
            if self.dice.random() < 0.75:
                when = self._office_hours(when, CUSTOMERS[customer][1])
            if customer in TOOLS and self.dice.random() < 0.15:
                self._watch(serial, customer, when, until)
                continue
            self.lives[serial] = self._life(serial, customer)
            self.plan(when, lambda at, n=serial: self._report(self.lives[n], at))

    def _office_hours(self, when: datetime, zone: str) -> datetime:
        local = when.astimezone(ZoneInfo(zone))
        day = local - timedelta(days=max(0, local.weekday() - 4)) if self.dice.random() < 0.8 else local
        return day.replace(hour=self.dice.randrange(8, 18), minute=self.dice.randrange(60)).astimezone(UTC)

    def _watch(self, serial: int, customer: str, when: datetime, until: datetime) -> None:
        """Let a monitoring tool find a trouble, and cry and recover as the dice will have it."""
        host, check = self.dice.choice(["web01", "db-2"]), self.dice.choice(["server load", "printer offline", "disk"])
        steps = [("eng", "accept", self.dice.uniform(3, 300)), ("eng", "resolve", self.dice.uniform(30, 5000))]
        steps = steps[: self.dice.choice([0, 1, 2, 2])]
        self.lives[serial] = Life(serial, customer, TOOLS[customer][0], steps, "mail")
        name = f"{host} {check} No.{serial}"
        self._cries(customer, "Problem", name, "average", when)
        for _ in range(self.dice.choice([1, 1, 2, 3, 4, 6])):
            when += self.dice.choice([20, 90, 700, 3000]) * self.dice.uniform(0.5, 1.5) * MINUTE
            sign, level = self.dice.choice(["Problem", "Resolved"]), self.dice.choice(["average", "average", "high"])
            if when < until:
                self._cries(customer, sign, name, level, when)

    def _cries(self, customer: str, sign: str, name: str, level: str, when: datetime) -> None:
        self.plan(when, lambda at: self._alarm(customer, f"{sign}: {name}", level, at))

    def _alarm(self, customer: str, subject: str, level: str, at: datetime) -> EmailMessage:
        tool, server = TOOLS[customer]
        mail = self._mail(tool, SERVICE, subject, f"Severity: {level}\n", at)
        if server:
            mail["Authentication-Results"] = f"{server}; dmarc=pass header.from={tool.rpartition('@')[2]}"
        self.alarms.append((at, tool, subject, level))
        return mail

    # --- what becomes of a report ---

    def _life(self, serial: int, customer: str) -> Life:
        pick = self.dice.random
        quick, slow = (lambda: self.dice.uniform(3, 200)), (lambda: self.dice.uniform(200, 3000))
        steps: list[tuple[str, str, float]] = []
        kind = pick()
        if kind < 0.04:
            steps = [("cust", "cancel", quick())]
        elif kind < 0.08:
            steps = [("eng", "return", quick()), ("desk", "outofscope", slow())]
            steps += [("desk", "inscope", slow()), ("desk", "assign", quick())] if pick() < 0.5 else []
        elif kind < 0.16:
            steps = [("eng", "return", quick()), ("desk", "assign", quick())]
        elif kind < 0.22:
            steps = [("eng", "accept", quick()), ("eng", "line2", quick())]
        ended = kind < 0.04 or (kind < 0.08 and len(steps) == 2)
        reporter = self.dice.choice(CUSTOMERS[customer][2])
        steps += [] if ended else self._work(quick, slow)
        review = self.dice.choices(["mail", "list", "reject"], [6, 3, 1])[0]
        return Life(serial, customer, f"{reporter}@{customer}.example", steps, review)

    def _work(self, quick: Callable[[], float], slow: Callable[[], float]) -> list[tuple[str, str, float]]:
        pick, choice = self.dice.random, self.dice.choice
        steps = [("cust", "escalate", quick())] if pick() < 0.08 else []
        steps += [("eng", "accept", quick() if pick() < 0.7 else slow())]
        extras = ["progress", "note", "plain", "severity", "mistake", "more", "escalate"]
        for _ in range(choice([0, 0, 1, 1, 2])):
            word = choice(extras)
            steps += [("cust" if word in ("more", "escalate") else "eng", word, quick())]
        steps += self._held(quick, slow)
        if pick() < 0.07:
            return steps  # nobody ever solves it
        steps += [("eng", "resolve", quick() if pick() < 0.5 else slow())]
        ending = choice(["confirm", "works", "silence", "silence", "thanks", "broken"])
        if ending == "broken":
            steps += [("cust", "broken", slow()), ("eng", "resolve", slow()), ("cust", "works", slow())]
        elif ending != "silence":
            steps += [("cust", ending, quick() if pick() < 0.5 else slow())]
        return steps

    def _held(self, quick: Callable[[], float], slow: Callable[[], float]) -> list[tuple[str, str, float]]:
        """Return for whom or what the work has to wait, if it has to."""
        kind = self.dice.random()
        if kind < 0.12:
            return [("eng", "hold_customer", quick()), ("cust", "serial", slow())]
        if kind < 0.20:
            return [("eng", "hold_date", quick()), ("eng", "progress", 4500.0)]
        if kind < 0.27:
            return [("eng", "hold_vendor", quick()), ("eng", "resume", slow())]
        if kind < 0.38:
            return self._vendor(quick, slow)
        return [("eng", "hold_change", quick()), ("eng", "progress", 4500.0)] if kind < 0.43 else []

    def _vendor(self, quick: Callable[[], float], slow: Callable[[], float]) -> list[tuple[str, str, float]]:
        """Return the work of a vendor: they write, take it up, and solve it, or it is taken back from them."""
        steps = [("eng", "vendor", quick())]
        steps += [("vendor", word, quick()) for word in ("on_my_way", "accept", "progress") if self.dice.random() < 0.7]
        return [*steps, ("vendor", "resolve", slow()) if self.dice.random() < 0.5 else ("eng", "accept", slow())]

    def _report(self, life: Life, at: datetime) -> EmailMessage:
        language = CUSTOMERS[life.customer][0]
        subject = f"{self.dice.choice(SUBJECTS[language])} No.{life.serial}"
        zh = language == "zh"
        said = ["各位好，请帮忙看一下。" if zh else "Hello, please have a look."]
        for chance, chinese, english in (
            (0.12, "所有人都受影响。", "It hits everybody."),
            (0.15, "整个部门都受影响。", "It hits the whole department."),
            (0.2, "十万火急！", "We need it at once."),
            (0.15, "不着急。", "There is no hurry."),
            (0.05, "总监关注。", "The boss watches this."),
        ):
            if self.dice.random() < chance:
                said.append(chinese if zh else english)
        return self._mail(life.reporter, SERVICE, subject, " ".join(said), at)

    # --- what they read ---

    def read(self, mail: Received, now: datetime) -> None:
        """Put a mail before its reader, who may answer it."""
        tag, serial = _TAG.search(mail.subject), _SERIAL.search(mail.subject)
        if tag is None:
            self._reads_list(mail, now)
            return
        number = int(tag[1])
        self.desk_tops[mail.to, number] = mail
        life = self.by_number.get(number)
        if life is None and serial:
            life = self.by_number[number] = self.lives[int(serial[1])]
            life.number = number
            self._go_on(life, now)
        if life:
            self._reads(life, mail, now)

    def _reads(self, life: Life, mail: Received, now: datetime) -> None:
        if any(w in mail.subject for w in _ASSIGNED):
            life.candidates.append(mail.to)
        elif any(w in mail.subject for w in _REVIEW):
            self._reviews(life, mail, now)
        elif any(w in mail.subject for w in _FOLLOW_UP) and self.dice.random() < 0.5:
            self._answer_later(mail, self.dice.choice("12345"), now, self.dice.uniform(10, 4000))
        elif any(w in mail.subject for w in (*_REFUSED, *_INSISTED, *_DOUBTED)):
            self._on_scope(mail, now)
        elif any(w in mail.subject for w in _OVERDUE) and self.dice.random() < 0.2:
            self._answer_later(mail, self._word(mail.to, "ack"), now, self.dice.uniform(2, 90))
        elif any(w in mail.subject for w in _WHAT_NEXT) and self.dice.random() < 0.4:
            self._answer_later(mail, self._word(mail.to, "progress"), now, self.dice.uniform(2, 90))
        elif self._lowers(mail):
            self._answer_later(mail, self._word(mail.to, "lower"), now, self.dice.uniform(2, 90))

    def _on_scope(self, mail: Received, now: datetime) -> None:
        """A requester insists, sales or the desk decides; or nobody bothers."""
        if any(w in mail.subject for w in _REFUSED):
            word = self.dice.choice(["insist", "insist", "thanks", ""])
        else:
            word = self.dice.choice(["inscope", "inscope", "outofscope", ""])
        if word:
            self._answer_later(mail, self._word(mail.to, word), now, self.dice.uniform(5, 2000))

    def _lowers(self, mail: Received) -> bool:
        """Whether a project manager finds an escalation exaggerated."""
        escalated = any(w in mail.subject for w in _ESCALATED) and mail.to.startswith(("sun.", "mary."))
        return escalated and self.dice.random() < 0.06

    def _reviews(self, life: Life, mail: Received, now: datetime) -> None:
        if life.review == "list":
            return
        word = "archive" if life.review == "mail" else "reject"
        self._answer_later(mail, self._word(mail.to, word), now, self.dice.uniform(5, 900))
        if word == "reject":
            life.review = "mail"
            life.steps = [("eng", "resolve", self.dice.uniform(900, 2500)), ("cust", "works", 60.0)]
            self._go_on(life, now)

    def _reads_list(self, mail: Received, now: datetime) -> None:
        """A project manager archives what is left to the list, by the numbers in it."""
        if not _REVIEW_LIST.search(mail.subject):
            return
        numbers = sorted({int(n) for n in _NAMED.findall(mail.text)})
        mine = [n for n in numbers if n in self.by_number and self.by_number[n].review == "list"]
        if mine:
            words = f"{self._word(mail.to, 'archive')} {' '.join(map(str, mine))}"
            self._answer_later(mail, words, now, self.dice.uniform(5, 120))

    # --- what they write ---

    def _go_on(self, life: Life, now: datetime) -> None:
        if life.steps:
            when = now + max(life.steps[0][2], 2) * MINUTE
            self.plan(when, lambda at: self._takes_step(life, at))

    def _takes_step(self, life: Life, at: datetime) -> EmailMessage | None:
        if not life.steps:
            return None
        who, word, _ = life.steps[0]
        writer = self._writer(life, who)
        mail = self.desk_tops.get((writer, life.number))
        if mail is None:
            life.tries += 1
            if life.tries < 60:
                self.plan(at + 60 * MINUTE, lambda then: self._takes_step(life, then))
            return None
        life.steps.pop(0)
        if word in ("return", "line2", "assign"):
            life.holder, life.candidates = "", []
        self._go_on(life, at)
        return self._answer(mail, self._said(life, writer, word, at), at)

    def _writer(self, life: Life, who: str) -> str:
        if who == "cust":
            return life.reporter
        if who == "desk":
            return "chen.jing@example.com"
        if who == "vendor":
            return "service@frost.example"
        if not life.holder and life.candidates:
            life.holder = self.dice.choice(life.candidates)
        return life.holder

    def _said(self, life: Life, writer: str, word: str, at: datetime) -> str:
        local = (at + timedelta(days=self.dice.choice([1, 2, 3]))).astimezone(ZoneInfo("Asia/Shanghai"))
        date = f"{local:%Y-%m-%d} {self.dice.randrange(7, 19):02}:30"
        return self._word(writer, word).format(date=date, team=self.dice.choice(["network", "desktop", "server"]))

    def _word(self, writer: str, word: str) -> str:
        person = self.books.people.get(self.books.by_address.get(writer, ""))
        language = person["language"] if person else CUSTOMERS[writer.rpartition("@")[2].removesuffix(".example")][0]
        return WORDS[language][word]

    def _answer_later(self, mail: Received, words: str, now: datetime, minutes: float) -> None:
        self.plan(now + minutes * MINUTE + MINUTE, lambda at: self._answer(mail, words, at))

    def _answer(self, mail: Received, words: str, at: datetime) -> EmailMessage:
        quoted = "\n".join(f"> {line}" for line in mail.text.splitlines())
        body = f"{words}\n\nOn {at:%d %b %Y at %H:%M}, Support <{SERVICE}> wrote:\n\n{quoted}\n"
        answer = self._mail(mail.to, mail.reply_to, f"Re: {mail.subject}", body, at)
        answer["In-Reply-To"] = answer["References"] = mail.message_id
        return answer

    def _mail(self, sender: str, to: str, subject: str, text: str, at: datetime) -> EmailMessage:
        self.counted += 1
        mail = EmailMessage(policy=SMTP)
        mail["Return-Path"] = f"<{sender}>"
        mail["From"], mail["To"], mail["Subject"] = sender, to, subject
        mail["Date"] = format_datetime(at)
        mail["Message-ID"] = f"<{self.seed}.{self.counted}@{sender.rpartition('@')[2]}>"
        mail.set_content(text)
        return mail
