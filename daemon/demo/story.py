"""The script of one day at a service desk: who writes what and when, and what must be true afterwards.

What comes in: an open Office. What goes out: the chronicle that the office keeps; BrokenPromiseError where something
does not hold. SCENES is the table of contents; every scene is one function below it, in the order of the day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time

from daemon.demo.office import OPERATOR, ZONE, Office, Person
from daemon.demo.programs import apple_mail, foxmail, gmail, holiday_machine, outlook_zh, phone
from daemon.events import CommandsRefused, NoticeFailed, StepReached
from daemon.words import HoldReason, Severity, State

DAY = datetime(2026, 11, 23, tzinfo=ZONE)  # a Monday, and a working day in the starter calendar

ZHANG = Person(name="张三", address="zhang.san@huaxin.example", program=outlook_zh)
ANN = Person(name="Ann Brown", address="ann.brown@acme.example", program=gmail)
WANG = Person(name="王伟", address="wang.wei@example.com", program=foxmail)
TOM = Person(name="Tom Baker", address="tom.baker@example.com", program=apple_mail)
SUN = Person(name="孙莉", address="sun.li@example.com", program=outlook_zh)
MARY = Person(name="Mary Jones", address="mary.jones@example.com", program=gmail)
THIEF = "mallory@evil.example"
CAST = (ZHANG, ANN, WANG, TOM, SUN, MARY)
VPN, ERP = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """One scene to come: when, what it is called, and what happens."""

    at: time
    title: str
    play: Callable[[Office], None]

    @property
    def moment(self) -> datetime:
        """The scene's time on the day of the story."""
        return datetime.combine(DAY, self.at, tzinfo=ZONE)


# --- the morning ---


def _vpn_is_reported(o: Office) -> None:
    words = (
        "你们好：\n\n今天一上班 VPN 就连不上，提示错误 691。我们部门二十几个人都一样，"
        "重启过电脑也不行，麻烦尽快看一下。"
    )
    o.writes(ZHANG, "VPN 连不上，提示错误 691", words)
    o.works()
    ticket = o.ticket(VPN)
    o.expects("INC-1 is open: VPN, severity 3", (ticket.category, ticket.severity) == ("network/vpn", Severity.MEDIUM))
    o.expects("it went to the network team", (ticket.state, ticket.team) == (State.ASSIGNED, "network"))
    o.expects("张三 has the number and the promised time", "INC-1" in o.told(ZHANG) and "11:02" in o.told(ZHANG))
    o.expects("王伟 has all that 张三 wrote", "错误 691" in o.told(WANG))


def _vpn_is_taken_up(o: Office) -> None:
    o.replies(WANG, "#受理", about=VPN)
    o.works()
    ticket = o.ticket(VPN)
    o.expects("王伟 has INC-1", (ticket.state, ticket.assignee) == (State.IN_PROGRESS, "wang.wei"))
    o.expects("张三 hears that work has begun", "王伟" in o.told(ZHANG))
    clock = ticket.clock("respond")
    o.expects("the response is in time", clock is not None and clock.met)


def _erp_is_reported(o: Office) -> None:
    words = (
        "Hello,\n\nsince nine this morning the ERP does not save any order: error 500 after a minute. "
        "Our whole department is stuck and the trucks are waiting.\n\nAnn"
    )
    o.writes(ANN, "URGENT: ERP does not save orders", words)
    o.works()
    ticket = o.ticket(ERP)
    o.expects(
        "INC-2 is open: severity 2", (ticket.category, ticket.severity) == ("software/application", Severity.HIGH)
    )
    o.expects("Ann is answered in English", "INC-2" in o.told(ANN) and not _is_chinese(o.told(ANN)))
    o.expects("Tom is asked to take it up", "error 500" in o.told(TOM))
    o.expects("张三 hears nothing of it", not o.told(ZHANG))


def _vpn_progresses(o: Office) -> None:
    o.replies(WANG, "#进展 原因基本查清：VPN 网关的证书昨晚过期，正在申请新证书。", about=VPN)
    o.works()
    o.expects("张三 reads 王伟's words", "证书昨晚过期" in o.told(ZHANG))
    o.expects("王伟 hears what was done", o.told(WANG))


def _erp_is_escalated(o: Office) -> None:
    o.works()
    steps = o.events(ERP, StepReached)
    told = [s.percent for s in steps]
    o.expects("it was told of on record, at half of the time, and now at all of it", told == [0, 50, 100])
    o.expects("the PM of Acme hears of it", "INC-2" in o.told(MARY))
    o.expects("so does the lead of the team", o.told(TOM))
    o.expects("the customer is not bothered", not o.told(ANN))
    o.works()
    o.expects("looking again fires nothing twice", len(o.events(ERP, StepReached)) == len(steps))


def _erp_is_taken_up(o: Office) -> None:
    o.servers.full.add(ANN.address)  # from now on, until she has tidied up
    o.replies(TOM, "#accept\n#progress The application server has run out of disk space, I am freeing some.", about=ERP)
    o.works()
    ticket = o.ticket(ERP)
    o.expects("Tom has INC-2", (ticket.state, ticket.assignee) == (State.IN_PROGRESS, "tom.baker"))
    clock = ticket.clock("respond")
    o.expects("the response came too late, and that is on record", clock is not None and clock.met is False)


def _a_mail_bounces(o: Office) -> None:
    returned = o.servers.run_queue()
    o.works()
    failed = o.events(ERP, NoticeFailed)
    o.expects("Ann's mail server sends back what we wrote", returned == len(failed) > 0)
    o.expects("the bounce is understood", {f.address for f in failed} == {ANN.address} and not o.told(ANN))
    o.expects("Tom hears that Ann did not get it", ANN.address in o.told(TOM))
    o.expects("the bounce opened no ticket", len(list(o.desk.store.register.tickets())) == ERP)
    o.servers.full.clear()


def _a_command_is_forged(o: Office) -> None:
    before = o.ticket(VPN).state
    o.writes(WANG, "Re: [INC-1] VPN", "#已解决 已处理，请关闭。", envelope=THIEF, program=gmail)
    o.works()
    refused = o.events(VPN, CommandsRefused)
    o.expects("the forged #已解决 is refused: no proof of the sender", [r.reason for r in refused] == ["unproved"])
    o.expects("INC-1 is what it was", o.ticket(VPN).state == before)
    o.expects("the real 王伟 is told what was tried in his name", "#已解决" in o.told(WANG))
    o.expects("张三 is not told that it is solved", not o.told(ZHANG))


def _vpn_waits(o: Office) -> None:
    o.replies(WANG, "#挂起 客户 新证书已换上。请用工号登录一次，把结果和时间告诉我们。", about=VPN)
    o.works()
    ticket = o.ticket(VPN)
    o.expects(
        "INC-1 waits for the customer", (ticket.state, ticket.hold_reason) == (State.ON_HOLD, HoldReason.CUSTOMER)
    )
    clock = ticket.clock("resolve")
    o.expects("its clock stands still", clock is not None and not clock.running)
    o.expects("张三 is asked", "请用工号登录一次" in o.told(ZHANG))


def _a_machine_answers(o: Office) -> None:
    o.replies(ZHANG, "您好，我正在外出开会，上午无法查看邮件，11 点后回复您。", about=VPN, program=holiday_machine)
    o.works()
    withheld = [m for m in o.scene.mails if m.address == ZHANG.address]
    o.expects("a machine gets no answer: no loop", not withheld)
    o.expects("INC-1 still waits", o.ticket(VPN).state is State.ON_HOLD)


def _vpn_is_answered(o: Office) -> None:
    o.replies(ZHANG, "刚才 11:15 用工号 10086 登录，还是 691。是不是我们的账号也有问题？", about=VPN, program=phone)
    o.works()
    o.expects("王伟 reads the answer", "工号 10086" in o.told(WANG))


def _vpn_goes_on(o: Office) -> None:
    o.replies(WANG, "#恢复\n#进展 收到。网关没有重新加载证书，午休时重启，预计 12:30 恢复。", about=VPN)
    o.works()
    clock = o.ticket(VPN).clock("resolve")
    o.expects("INC-1 goes on, and so does its clock", clock is not None and clock.running)
    o.expects("张三 knows the plan", "预计 12:30 恢复" in o.told(ZHANG))


def _erp_is_resolved(o: Office) -> None:
    words = "#resolve Freed 40 GB on the application server; orders are saved again.\n#cause Log rotation had stopped"
    o.replies(TOM, words, about=ERP)
    o.works()
    ticket = o.ticket(ERP)
    o.expects("INC-2 is resolved, in time", ticket.state is State.RESOLVED and o.in_time(ERP, "resolve"))
    o.expects("Ann gets the solution", "Freed 40 GB" in o.told(ANN))


def _erp_is_confirmed(o: Office) -> None:
    o.replies(ANN, "Works now, thank you!", about=ERP, program=phone)
    o.works()
    o.expects("plain words confirm it", o.ticket(ERP).state is State.PENDING_REVIEW)
    o.expects("Mary is asked to review", "INC-2" in o.told(MARY))


# --- the afternoon ---


def _vpn_is_resolved(o: Office) -> None:
    o.replies(WANG, "#已解决 重启网关，新证书已生效，已用测试账号验证。\n#原因 VPN 网关证书过期", about=VPN)
    o.works()
    ticket = o.ticket(VPN)
    o.expects("INC-1 is resolved", ticket.state is State.RESOLVED)
    o.expects("its cause is on record", ticket.cause.startswith("VPN 网关证书过期"))
    o.expects("its clock stops in time", o.in_time(VPN, "resolve"))
    o.expects("张三 gets the solution", "新证书已生效" in o.told(ZHANG))


def _vpn_is_confirmed(o: Office) -> None:
    o.replies(ZHANG, "可以了，大家都能登录，谢谢！", about=VPN)
    o.works()
    o.expects("plain words confirm it", o.ticket(VPN).state is State.PENDING_REVIEW)
    o.expects("孙莉 is asked to review", "INC-1" in o.told(SUN))


def _vpn_is_archived(o: Office) -> None:
    o.replies(SUN, "#归档", about=VPN)
    o.works()
    o.expects("INC-1 is archived", o.ticket(VPN).state is State.ARCHIVED)
    o.expects("张三 hears that it is closed", "INC-1" in o.told(ZHANG))


def _erp_is_archived(o: Office) -> None:
    o.replies(MARY, "#archive", about=ERP)
    o.works()
    o.expects("INC-2 is archived", o.ticket(ERP).state is State.ARCHIVED)
    counts = o.desk.store.outbox.counts()
    o.expects("nothing is owed any more", set(counts) == {"sent"})
    o.expects("the mailbox is empty: every mail is filed away", not o.link.uids())
    o.expects("the daemon had no trouble to report", all(m.to != OPERATOR for m in o.servers.arrived))
    o.expects("every mail was understood", set(o.desk.store.ledger.counts()) == {"handled"})
    o.expects("the history tells the same as the register", o.desk.store.register.rebuild() == [])


def _is_chinese(text: str) -> bool:
    return any("\u4e00" <= c <= "\u9fff" for c in text)


SCENES = (
    Plot(at=time(9, 2), title="客户报障 · A customer reports", play=_vpn_is_reported),
    Plot(at=time(9, 8), title="工程师受理 · An engineer takes it up", play=_vpn_is_taken_up),
    Plot(at=time(9, 15), title="英文客户报障 · An English customer reports", play=_erp_is_reported),
    Plot(at=time(9, 25), title="进展 · Progress", play=_vpn_progresses),
    Plot(at=time(9, 45), title="响应超时，升级 · Nobody responded: escalation", play=_erp_is_escalated),
    Plot(at=time(9, 52), title="受理并告知进展 · Taken up, with progress", play=_erp_is_taken_up),
    Plot(at=time(9, 53), title="退信 · A bounce: the mailbox is full", play=_a_mail_bounces),
    Plot(at=time(10, 5), title="冒名命令被拒 · A forged command is refused", play=_a_command_is_forged),
    Plot(at=time(10, 20), title="挂起，等客户 · On hold for the customer", play=_vpn_waits),
    Plot(at=time(10, 21), title="外出自动回复 · A vacation reply", play=_a_machine_answers),
    Plot(at=time(11, 20), title="客户用手机答复 · The customer answers by phone", play=_vpn_is_answered),
    Plot(at=time(11, 25), title="恢复处理 · Work goes on", play=_vpn_goes_on),
    Plot(at=time(11, 40), title="解决 · Resolved", play=_erp_is_resolved),
    Plot(at=time(11, 48), title="客户确认 · Confirmed in plain words", play=_erp_is_confirmed),
    Plot(at=time(14, 10), title="解决 · Resolved", play=_vpn_is_resolved),
    Plot(at=time(14, 30), title="客户确认 · Confirmed in plain words", play=_vpn_is_confirmed),
    Plot(at=time(15, 0), title="项目经理归档 · The PM archives", play=_vpn_is_archived),
    Plot(at=time(15, 5), title="归档 · Archived, and all is even", play=_erp_is_archived),
)
