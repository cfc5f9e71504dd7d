"""Every row of the procedure's tables, in our own words, and which test shows it: docs/procedure.md is made from this.

A test says with `@pytest.mark.procedure("3/on_hold")` that it shows a row; on a `pytest.param` it may stand too. Read
from the source, so nothing has to run.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Row:
    """One row: where it belongs, and what ticketd does, in Chinese and English."""

    id: str
    zh: str
    en: str

    @property
    def section(self) -> str:
        return self.id.partition("/")[0]


SECTIONS = ("3", "4", "5", "6", "7", "8", "9")

_STATES = (
    Row("3/new", "新建：已登记，还没有派单；计时", "New: recorded, not yet dispatched; both clocks run"),
    Row("3/assigned", "已派单：还没有受理；计时", "Assigned: with a team or engineer, not taken up; both clocks run"),
    Row("3/in_progress", "处理中：响应计时到此为止，解决继续计时", "In progress: the response clock ends, the resolve clock runs"),
    Row("3/first_answer", "给用户的实质性答复也算响应", "A substantive answer to the requester ends the response clock too"),
    Row("3/on_hold/customer", "挂起等客户：停表；客户一答复就恢复", "On hold for the customer: the clock stands; their answer ends it"),
    Row("3/on_hold/date", "挂起到约定时间：停表；到时自动恢复", "On hold until a date: the clock stands; it wakes by itself"),
    Row("3/on_hold/vendor", "挂起等厂商：照样计时", "On hold for a vendor: the clock runs"),
    Row("3/on_hold/change", "挂起等变更：照样计时", "On hold for a change: the clock runs"),
    Row("3/on_hold/rules", "哪些原因停表由规则文件定", "Which reasons stop the clock is the operator's choice"),
    Row("3/resolved", "已解决：请用户确认；解决计时结束", "Resolved: the requester is asked; the resolve clock ends"),
    Row("3/pending_review/confirmed", "待审核：用户确认了", "Pending review: the requester confirmed"),
    Row("3/pending_review/silence", "待审核：三个工作日没有异议，提醒过一次", "Pending review: no objection within three working days, one reminder"),
    Row("3/archived", "已归档：项目经理通过；只读", "Archived: the project manager confirmed; read-only"),
    Row("3/out_of_scope", "不受理：告诉用户；停表", "Out of scope: the requester is told; the clock stands"),
    Row("3/cancelled", "已取消：用户撤单；停表", "Cancelled: withdrawn; the clock stands"),
    Row("3/moves", "状态表里的每一条转换都可以用邮件走到，别的走不通", "Every move of the table can be made by mail, and no other"),
    Row("3/reopen/not_solved", "用户说没有解决：回到处理中", "The requester says that it is not solved: back to work"),
    Row("3/reopen/reply", "已解决或待审核时的新来信不是道谢：回到处理中", "A new reply while resolved or under review that is no thank-you: back to work"),
    Row("3/reopen/thanks", "道谢不重开", "Thanks do not reopen"),
    Row("3/reopen/rejected", "项目经理驳回：回到处理中", "The project manager rejects: back to work"),
    Row("3/reopen/clock", "计时从停下的地方接着走", "The clock goes on from where it stopped"),
    Row("3/reopen/counted", "重开次数有记录", "Each reopening is counted"),
    Row("3/follow_up", "回复已归档的工单：新开一张，互相关联", "A reply to an archived record opens a linked new one"),
)  # fmt: skip

_GRADING = (
    Row("4/hardware", "分类：硬件", "Category: hardware"),
    Row("4/software", "分类：软件", "Category: software"),
    Row("4/network", "分类：网络", "Category: network"),
    Row("4/security", "分类：信息安全", "Category: security"),
    Row("4/facility", "分类：机房设施（UPS、温度、磁盘告警也是事件）", "Category: data centre facility (alerts of UPS, temperature, disks are incidents too)"),
    Row("4/account", "分类：账号与权限", "Category: accounts and access"),
    Row("4/request", "分类：服务请求（咨询、标准变更、权限、内存、软件）", "Category: service request (information, standard change, access, memory, software)"),
    Row("4/facility_emergency", "分类：设施突发事件", "Category: facility emergency"),
    Row("4/complaint", "分类：投诉", "Category: complaint"),
    Row("4/high-high", "影响高 × 紧急高 = 一级", "impact high × urgency high = 1"),
    Row("4/high-medium", "影响高 × 紧急中 = 二级", "impact high × urgency medium = 2"),
    Row("4/high-low", "影响高 × 紧急低 = 三级", "impact high × urgency low = 3"),
    Row("4/medium-high", "影响中 × 紧急高 = 二级", "impact medium × urgency high = 2"),
    Row("4/medium-medium", "影响中 × 紧急中 = 三级", "impact medium × urgency medium = 3"),
    Row("4/medium-low", "影响中 × 紧急低 = 四级", "impact medium × urgency low = 4"),
    Row("4/low-high", "影响低 × 紧急高 = 三级", "impact low × urgency high = 3"),
    Row("4/low-medium", "影响低 × 紧急中 = 四级", "impact low × urgency medium = 4"),
    Row("4/low-low", "影响低 × 紧急低 = 四级", "impact low × urgency low = 4"),
    Row("4/raise", "工程师可以提高级别，服务台会知道", "An engineer may raise a severity; the desk is told"),
    Row("4/lower", "降低级别只有项目经理可以，要写原因，记录在案", "Only the project manager may lower it, with a reason that is recorded"),
    Row("4/wrong_dispatch", "派错的马上退回服务台，有次数，有原因", "Wrongly dispatched: back to the desk at once, counted, with the reason"),
)  # fmt: skip

_DISPATCH = (
    Row("5/team", "分类决定班组和支持层级", "The category gives team and line, by rule files"),
    Row("5/skill", "按技能选工程师", "The engineer by skill"),
    Row("5/rota", "按值班表", "The engineer by on-call rota"),
    Row("5/hours", "按工作时间和请假", "The engineer by working hours and absence"),
    Row("5/load", "按手上的工单和最多能接的数", "The engineer by load against capacity"),
    Row("5/urgent_first", "人手不够时，紧急的先派", "When people are short, urgent work goes first"),
    Row("5/recall", "召回：低级别的工单退回队列，处理人和服务台都知道", "Recall: the lower one returns to the queue; its owner and the desk are told"),
    Row("5/line2", "职能升级：转二线", "Functional escalation: to line 2, on the engineer's word"),
    Row("5/vendor", "职能升级：转厂商，厂商用邮件答复", "Functional escalation: to a vendor, who answers by mail"),
    Row("5/share", "本线的时间用完了，二线加入", "Line 2 joins when a line's share of the time is used up"),
)  # fmt: skip

_TARGETS = (
    Row("6/1", "一级：15 分钟响应，4 小时解决，7×24", "Severity 1: answer in 15 min, solved in 4 h, around the clock"),
    Row("6/2", "二级：30 分钟响应，8 小时解决，7×24", "Severity 2: answer in 30 min, solved in 8 h, around the clock"),
    Row("6/3", "三级：2 小时响应，16 小时解决，工作时间", "Severity 3: answer in 2 h, solved in 16 h of working time"),
    Row("6/4", "四级：4 小时响应，40 小时解决，工作时间", "Severity 4: answer in 4 h, solved in 40 h of working time"),
    Row("6/contract", "客户可以有自己的服务级别", "Targets can differ per customer"),
    Row("6/lunch", "工作日历：午休不算", "Business calendar: the lunch break does not count"),
    Row("6/holidays", "工作日历：节假日不算", "Business calendar: public holidays do not count"),
    Row("6/make_up", "工作日历：调休上班日算", "Business calendar: make-up working days count"),
    Row("6/zone", "现场的时区，夏令时也对", "The site's own time zone, right across clock changes"),
)  # fmt: skip

_STEPS = {
    "record": ("建单时", "on record"),
    "respond50": ("响应 50%", "response 50%"),
    "respond100": ("响应 100%", "response 100%"),
    "resolve25": ("解决 25%", "solution 25%"),
    "resolve50": ("解决 50%", "solution 50%"),
    "resolve75": ("解决 75%", "solution 75%"),
    "resolve100": ("解决 100%", "solution 100%"),
    "overdue": ("超时以后", "after the breach"),
}
_CELLS = {
    "1": (
        ("组长、项目经理、部门经理", "lead, PM, manager"), ("组长、服务台", "lead, desk"),
        ("项目经理、部门经理", "PM, manager"), ("二线加入", "line 2 joins"),
        ("部门经理；请三线", "manager; line 3 asked"), ("总监", "director"), ("总监、销售", "director, sales"),
        ("每小时，总监", "hourly, director"),
    ),
    "2": (
        ("组长", "lead"), ("组长", "lead"), ("项目经理", "PM"), ("–", "–"), ("项目经理；二线加入", "PM; line 2 joins"),
        ("部门经理", "manager"), ("部门经理、总监", "manager, director"), ("每两小时", "every two hours"),
    ),
    "3": (
        ("–", "–"), ("–", "–"), ("组长", "lead"), ("–", "–"), ("–", "–"), ("组长、项目经理", "lead, PM"),
        ("项目经理、部门经理", "PM, manager"), ("每个工作日", "each working day"),
    ),
    "4": (
        ("–", "–"), ("–", "–"), ("组长", "lead"), ("–", "–"), ("–", "–"), ("组长", "lead"), ("项目经理", "PM"),
        ("每个工作日", "each working day"),
    ),
}  # fmt: skip
_TIMETABLE = (
    *(
        Row(f"6/{severity}/{step}", f"{severity} 级，{_STEPS[step][0]}：{zh}", f"Severity {severity}, {_STEPS[step][1]}: {en}")
        for severity, cells in _CELLS.items()
        for step, (zh, en) in zip(_STEPS, cells, strict=True)
    ),
    Row("6/once", "每一步只发一次，重启和长时间停机也一样", "Each step once per clock run, whatever restarts or was down"),
    Row("6/late", "停机后补发一次，说明晚了", "After an outage: late, once, saying that it is late"),
    Row("6/forecast", "预计未能：提前通知", "Foreseen to be missed: the next step comes early"),
    Row("6/asked", "任何相关人员写信要求升级：马上到下一步，带上原话", "Asked for by anyone on the record: the next step at once, with their words"),
    Row("6/acknowledged", "已知悉：这一步的提醒停一段时间", "Acknowledged: the reminders of that step pause for a while"),
    Row("6/one_mail", "同一个人同一时刻的几步只发一封", "What several steps owe one person at one moment is one mail"),
    Row("6/next_in_line", "不在或收不到：马上转给下一位", "Absent or not reachable: the next in line at once"),
)  # fmt: skip

_KEYWORDS = (
    Row("7/accept", "受理", "take up: assignee, team, desk"),
    Row("7/progress", "进展：写给用户", "progress note to the customer: assignee"),
    Row("7/note", "内部备注，用户看不到", "internal note: staff"),
    Row("7/hold", "挂起：等谁，到哪天", "hold for somebody, until a date: assignee, desk"),
    Row("7/resume", "恢复", "resume: assignee, desk"),
    Row("7/resolve", "已解决：解决办法", "resolve, with the solution: assignee"),
    Row("7/cause", "原因", "the cause: assignee"),
    Row("7/workaround", "临时措施", "a workaround: assignee"),
    Row("7/assign", "转派给人或班组", "hand over to a person or a team: assignee, desk"),
    Row("7/line2", "转二线", "hand over to line 2: assignee, desk"),
    Row("7/vendor", "转厂商", "hand over to a vendor: assignee, desk"),
    Row("7/return", "退回服务台", "wrong queue, back to the desk: assignee"),
    Row("7/severity", "改级别", "set the severity: staff; lowering it: PM"),
    Row("7/impact", "影响", "impact: staff"),
    Row("7/urgency", "紧急", "urgency: staff"),
    Row("7/category", "分类", "category: staff"),
    Row("7/ci", "配置项", "configuration item: staff"),
    Row("7/escalate", "升级", "ask for escalation: anyone on the record"),
    Row("7/ack", "知悉", "acknowledge an escalation: staff who were told"),
    Row("7/outofscope", "不受理", "out of scope, with the reason: desk, sales"),
    Row("7/inscope", "受理范围内", "in scope after all: desk, sales"),
    Row("7/confirm", "确认已解决", "confirm: requester"),
    Row("7/reopen", "未解决", "not solved: requester"),
    Row("7/plain_words", "用户的平常话：“已解决，谢谢”“又断了”", "plain words of the requester: “solved, thanks”, “still broken”"),
    Row("7/approve", "同意（审批）", "approve: whom a rule asks"),
    Row("7/refuse", "不同意（审批），写原因", "do not approve, with a reason: whom a rule asks"),
    Row("7/cancel", "取消", "withdraw: requester, desk"),
    Row("7/archive", "归档，可以一次几张", "archive, several at once: PM"),
    Row("7/reject", "驳回，写原因", "reject, with the reason: PM"),
    Row("7/rate", "评分 1–5，满意/不满意", "rate 1–5, satisfied or not: requester"),
    Row("7/for", "代报", "record for a customer: staff, in a new mail or a forward"),
    Row("7/source", "来源", "how it came: staff"),
    Row("7/occurred", "发生时间", "since when: staff"),
    Row("7/user", "受影响的用户", "who is affected: staff"),
    Row("7/contact", "怎样联系受影响的用户", "how to reach who is affected: staff"),
    Row("7/place", "地点", "where it is: staff"),
    Row("7/region", "地区", "the region: staff"),
    Row("7/symptom", "现象，或请求的具体内容", "symptom, or the details of a request: staff"),
    Row("7/service", "受影响的服务", "the services affected: staff"),
    Row("7/code", "错误代码", "error codes: staff"),
    Row("7/affected", "影响多少户", "how many customers are affected: staff"),
    Row("7/customer", "改为这个客户的工单，时限按其合同", "whose ticket it is; their contract counts: desk, PM"),
    Row("7/undo", "15 分钟内撤销", "take back within 15 minutes: whoever did it"),
    Row("7/status", "状态", "how it stands: anyone, only their own"),
    Row("7/list", "列表", "my open tickets: anyone, only their own"),
    Row("7/help", "帮助：现在可以写的关键字", "what I may write now: anyone"),
    Row("7/major", "重大事件", "declare a major incident, with its level: PM, duty manager"),
    Row("7/update", "通报", "a public update on a major incident: PM, duty manager"),
    Row("7/merge", "合并", "the same case as another: staff"),
    Row("7/duplicate", "重复", "a duplicate of another: staff"),
    Row("7/related", "关联", "related to another: staff"),
    Row("7/parent", "父单", "a part of another: staff"),
    Row("7/split", "拆分", "a second matter in one mail: staff"),
    Row("7/problem", "问题", "raise a problem: staff"),
    Row("7/change", "变更", "request a change: staff"),
    Row("7/kb", "知识", "an earlier solution helped: staff"),
    Row("7/plan", "启动应急预案", "start an emergency plan: PM, duty manager"),
    Row("7/done", "任务完成", "a plan's task is done: its owner"),
    Row("7/blocked", "任务受阻", "a plan's task is blocked: its owner"),
    Row("7/alone", "第一行只有关键字也算", "A lone keyword as the first line counts too"),
    Row("7/full_width", "全角＃也算", "The full-width ＃ counts"),
    Row("7/new_words", "只看新写的话：引用和签名里的不算", "Only the new words count: not a quote, not a signature"),
    Row("7/together", "一封信里的指令一起执行，或者都不执行", "Several commands apply together or not at all"),
    Row("7/answer", "答复说改了什么，或者哪里看不懂、现在可以写什么", "The answer says what was changed, or what was not understood and what may be written"),
    Row("7/data", "关键字是数据：可以加别名", "Keywords are data: aliases can be added"),
)  # fmt: skip

_BAD_INPUT = (
    Row("7/bad/state", "状态不对的指令", "A command that makes no sense in this state"),
    Row("7/bad/role", "没有权限的指令", "A command that this role may not use"),
    Row("7/bad/person", "没有这个人：您是想写……吗", "An unknown person: did you mean …?"),
    Row("7/bad/date", "过去的日期", "A date in the past"),
    Row("7/bad/severity", "级别 7", "A severity of 7"),
    Row("7/bad/contradiction", "两条指令互相矛盾", "Two contradicting commands"),
    Row("7/bad/forty", "一封信 40 条指令", "A mail with 40 commands"),
    Row("7/bad/quote", "引用或签名里的关键字", "A keyword in a quote or a signature"),
)  # fmt: skip

_MAILS = (
    Row("8/acknowledgement", "用户：受理通知（编号、级别、承诺时间、下一步）", "requester: acknowledgement (number, grade, promised times, what next)"),
    Row("8/scope_refused", "用户：不受理和原因", "requester: not within the agreement, and why"),
    Row("8/dispatched", "用户：有人开始处理", "requester: who works on it"),
    Row("8/progress", "用户：进展", "requester: progress"),
    Row("8/on_hold", "用户：挂起，等谁，到什么时候", "requester: on hold, for whom and until when"),
    Row("8/resolved", "用户：已解决，解决办法，怎么答复", "requester: resolved, with the solution and how to answer"),
    Row("8/confirm_reminder", "用户：提醒确认", "requester: reminder to confirm"),
    Row("8/reopened", "用户：重新处理", "requester: reopened"),
    Row("8/open_list", "用户：当日进展", "requester: end-of-day status"),
    Row("8/closed", "用户：关闭", "requester: closure"),
    Row("8/follow_up", "用户：请评分", "requester: the rating"),
    Row("8/major_update", "用户：重大事件通报", "requester: updates on a major incident"),
    Row("8/assignment", "工程师：派单（全部情况、时限、怎么答复）", "staff: assignment (everything known, deadlines, how to answer)"),
    Row("8/similar", "工程师：派单里有过去类似事件的解决办法", "staff: similar past incidents and their solutions in the assignment"),
    Row("8/new_reply", "工程师：用户来信", "staff: new reply on your ticket"),
    Row("8/recall", "工程师：召回", "staff: recall"),
    Row("8/escalation", "有关人员：升级", "staff: escalation steps"),
    Row("8/transcript", "发指令的人：结果或错误", "staff: what became of the commands"),
    Row("8/woken", "工程师：挂起到期", "staff: wake-up from hold"),
    Row("8/review_list", "项目经理：待审核清单", "PM: review list"),
    Row("8/day_list", "项目经理：当日未解决清单", "PM: day-end list"),
    Row("8/follow_up_result", "项目经理：回访结果", "PM: weekly follow-up result"),
    Row("8/kpi_report", "项目经理和领导：指标报告", "PM and managers: KPI report"),
    Row("8/major_report", "项目经理和领导：重大事件报告", "PM and managers: major-incident report"),
    Row("8/language", "每个人收到自己的语言，文本和 HTML 都有", "Everybody in their own language, text and HTML"),
    Row("8/new_language", "加一个文件夹就多一种语言", "Another language by adding a folder"),
)  # fmt: skip

_DUTIES = (
    Row("9/ask_action", "下班前：还不知道下一步的，问处理人", "Before the end of the day: the engineer is asked where no next action is known"),
    Row("9/pm_list", "下班前一小时：给项目经理，今天没有解决的，状态和下一步", "One hour before the end: to each PM what is not solved, its state and next action"),
    Row("9/customer_list", "下班前半小时：给用户，他们的工单和下一步", "Half an hour before the end: to each customer how theirs stand"),
    Row("9/review_list", "每个工作日：给项目经理，待审核清单", "Every working day: to each PM what waits for review"),
    Row("9/follow_up", "每周：回访用户", "Every week: follow-up to the requesters"),
    Row("9/follow_up_result", "每周：回访结果给项目经理", "Every week: its result to the PM"),
    Row("9/rule_proposals", "每周：按人工改正提出的规则建议给服务台", "Every week: proposals of rules to the desk, from what people corrected"),
    Row("9/kpi_report", "每月：指标报告", "Every month: KPI report"),
    Row("9/owed", "不漏、不重，停机后补上", "Never lost, never twice, whatever was down"),
)  # fmt: skip

ROWS = {
    row.id: row
    for row in (
        *_STATES, *_GRADING, *_DISPATCH, *_TARGETS, *_TIMETABLE, *_KEYWORDS, *_BAD_INPUT, *_MAILS, *_DUTIES,
    )
}  # fmt: skip


def shown_by() -> dict[str, list[str]]:
    """Return for each row that a test names the tests that show it, as file::function."""
    shown: dict[str, list[str]] = {}
    for path in sorted(TESTS.glob("test_*.py")):
        text = path.read_text("utf-8")
        for test, rows in _marked(ast.parse(text)) if "mark.procedure(" in text else ():
            for row in rows:
                shown.setdefault(row, []).append(f"{path.name}::{test}")
    return shown


def _marked(module: ast.Module) -> list[tuple[str, list[str]]]:
    """Return each test of a module with the rows that its decorators name, or the tables which these refer to."""
    tables = {
        target.id: _rows_in(node.value)
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return [(f.name, rows) for f in module.body if isinstance(f, ast.FunctionDef) if (rows := _rows_of(f, tables))]


def _rows_of(function: ast.FunctionDef, tables: dict[str, list[str]]) -> list[str]:
    if not function.name.startswith("test_"):
        return []
    nodes = [n for decorator in function.decorator_list for n in ast.walk(decorator)]
    referred = [row for n in nodes if isinstance(n, ast.Name) for row in tables.get(n.id, ())]
    own = [row for decorator in function.decorator_list for row in _rows_in(decorator)]
    return list(dict.fromkeys(own + referred))


def _rows_in(node: ast.AST) -> list[str]:
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call) and ast.unparse(n.func) == "pytest.mark.procedure"]
    return [a.value for c in calls for a in c.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
