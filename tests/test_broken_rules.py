"""Kinds of broken rule files, each with the whole message that an operator reads: file, line, what, and the cure."""

from __future__ import annotations

import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from daemon.proving import try_rules
from tests.desk import ROOT

TODAY = date(2026, 11, 23)
# What is broken → (file of the starter rules, what stands there, what somebody makes of it, what check says first).
# L+2 stands for the second line below the change; a file with + is new; "bytes" is put behind the last line.
BROKEN: dict[str, tuple[str, str, str, str]] = {
    'not YAML: a bracket that is not closed': ('routing.yaml', 'rules:\n', 'rules: [\n',
        "routing.yaml:L+3: is not YAML: expected the node content, but found '-'; indent with spaces, close every bracket, put quotes around a text with ': ', '#', '*' or '['"),
    'a tab as indent': ('routing.yaml', 'rules:\n', 'rules:\n\t- name: x\n',
        "routing.yaml:L+1: is not YAML: found character '\\t' that cannot start any token; indent with spaces, close every bracket, put quotes around a text with ': ', '#', '*' or '['"),
    'not UTF-8': ('routing.yaml', '', '# \\xff\n',
        'routing.yaml:L+0: is not UTF-8 here; save the file as UTF-8'),
    'an anchor': ('customers.yaml', 'customers:\n', 'customers: &all\n',
        'customers.yaml:L+0: anchors and aliases (& and *) are not for rule files; write it out'),
    'a key twice': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    name: y\n    then: {tags: a}\n',
        "routing.yaml:L+2: the key 'name' is here twice (first in line L+1); keep one of them"),
    'an unknown section': ('routing.yaml', 'rules:\n', 'rule:\n  - name: x\nrules:\n',
        "routing.yaml:L+0: the file has no key 'rule' (did you mean 'rules'?)"),
    'an unknown rule file': ('+rutes.yaml', '', 'a: b\n',
        "rutes.yaml: is no rule file (did you mean 'duties.yaml'?)"),
    'an unknown key of a rule': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    wenn: {subject is: x}\n    then: {tags: a}\n',
        "routing.yaml:L+2: a rule has no key 'wenn' (did you mean 'when'?)"),
    'a rule without a name': ('routing.yaml', 'rules:\n', 'rules:\n  - then: {tags: a}\n',
        "routing.yaml:L+1: a rule lacks 'name'; write name: a few words that say what it is for"),
    'a rule without an effect': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subject is: x}\n',
        "routing.yaml:L+1: a rule lacks 'then'; write then: {category: network, team: network}"),
    'a rule whose effect is empty': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subject is: x}\n    then: {}\n',
        "routing.yaml:L+1: the rule 'x' does nothing; write what follows under 'then:', or take it out"),
    'a name twice': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subject is: x}\n    then: {tags: a}\n  - name: x\n    when: {subject is: y}\n    then: {tags: a}\n',
        "routing.yaml:L+4: another rule (line L+1) is called 'x'; names tell rules apart"),
    'an unknown field': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subjekt contains: x}\n    then: {tags: a}\n',
        "routing.yaml:L+2: no condition is called 'subjekt contains' (did you mean 'subject contains'?)"),
    'an unknown operator': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subject contain: x}\n    then: {tags: a}\n',
        "routing.yaml:L+2: 'subject' cannot be compared by 'contain' (did you mean 'contains'?); it knows is, in, contains, mentions, starts with, ends with, matches"),
    'a condition without a word that compares': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subject: x}\n    then: {tags: a}\n',
        "routing.yaml:L+2: 'subject' needs a word after it: is, in, contains, mentions, starts with, ends with, matches; as in 'subject is: …'"),
    'a list without any or all': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: [{subject is: x}]\n    then: {tags: a}\n',
        "routing.yaml:L+2: a list of conditions needs a word before it: write 'any:' or 'all:' above the list"),
    'a pattern with look-ahead': ('routing.yaml', 'rules:\n', "rules:\n  - name: x\n    when: {subject matches: 'a(?=b)'}\n    then: {tags: a}\n",
        "routing.yaml:L+2: the pattern 'a(?=b)' cannot be used: invalid perl operator: (?= (RE2 has no look-ahead, look-behind or back-references; say it with all:, any: and not:)"),
    'a pattern that is too long': ('routing.yaml', 'rules:\n', "rules:\n  - name: x\n    when: {subject matches: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'}\n    then: {tags: a}\n",
        'routing.yaml:L+2: the pattern has 1001 characters; write at most 1000'),
    'a pattern that takes too much work': ('routing.yaml', 'rules:\n', "rules:\n  - name: x\n    when: {subject matches: '(.{0,200}){20}x'}\n    then: {tags: a}\n",
        "routing.yaml:L+2: the pattern '(.{0,200}){20}x' cannot be used: invalid repetition size: {20} (write smaller numbers in braces, at most {1000} in all)"),
    'a pattern that fits every mail': ('routing.yaml', 'rules:\n', "rules:\n  - name: x\n    when: {text matches: '(vpn)*'}\n    then: {tags: a}\n",
        "routing.yaml:L+1: the rule 'x': the pattern '(vpn)*' fits every mail, even an empty one; ask for at least one thing that must be there (write + for *)"),
    'a pattern that fits no mail': ('routing.yaml', 'rules:\n', "rules:\n  - name: x\n    when: {subject matches: 'vpn^'}\n    then: {tags: a}\n",
        "routing.yaml:L+1: the rule 'x': no mail fits the pattern 'vpn^': ^ is the beginning, but something must stand before it; to find the sign itself write a backslash first"),
    'a domain with an @': ('routing.yaml', 'rules:\n', "rules:\n  - name: x\n    when: {sender domain in: ['@acme.example']}\n    then: {tags: a}\n",
        "routing.yaml:L+1: the rule 'x': no mail has 'sender domain in: @acme.example': a sender domain has no @; write what stands after it"),
    'a size that is none': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {size over: big}\n    then: {tags: a}\n',
        "routing.yaml:L+2: 'big' is not a size; write it as 500 kB or 10 MB"),
    'an unknown calendar': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {within working hours: busines}\n    then: {tags: a}\n',
        "routing.yaml:L+2: no calendar is called 'busines' (did you mean 'business'?)"),
    'an unknown customer': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {customer is: huaxing}\n    then: {tags: a}\n',
        "routing.yaml:L+2: no customer is called 'huaxing' (did you mean 'huaxin'?)"),
    'an unknown nature': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {nature is: humans}\n    then: {tags: a}\n',
        "routing.yaml:L+2: no nature is called 'humans' (did you mean 'human'?)"),
    'an unknown action': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subject is: x}\n    then: {tagz: a}\n',
        "routing.yaml:L+3: no action is called 'tagz' (did you mean 'tags'?)"),
    'a severity that is set': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subject is: x}\n    then: {severity: 2}\n',
        "routing.yaml:L+3: no action is called 'severity'; write 'severity at least: 2', or set impact and urgency"),
    'stop among the actions': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subject is: x}\n    then: {tags: a, stop: true}\n',
        "routing.yaml:L+3: no action is called 'stop'; write 'stop: true' beside 'then:', not in it"),
    'an unknown team': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subject is: x}\n    then: {team: netwrok}\n',
        "routing.yaml:L+3: no team is called 'netwrok' (did you mean 'network'?)"),
    'an unknown category': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subject is: x}\n    then: {category: network/vpm}\n',
        "routing.yaml:L+3: no category is called 'network/vpm' (did you mean 'network/vpn'?)"),
    'an unknown person': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subject is: x}\n    then: {watchers: [zhou.qian]}\n',
        "routing.yaml:L+3: no person is called 'zhou.qian' (did you mean 'zhou.qiang'?)"),
    'a level that is none': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subject is: x}\n    then: {impact: hihg}\n',
        "routing.yaml:L+3: 'impact' is high, medium or low, got 'hihg' (did you mean 'high'?)"),
    'a list that is not there': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subject contains: {list: 监控工具 monitoring tool}}\n    then: {tags: a}\n',
        "routing.yaml:L+2: no list is called '监控工具 monitoring tool' (did you mean '监控工具 monitoring tools'?)"),
    'a condition that is not there': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {condition: 下班时间 out of hour}\n    then: {tags: a}\n',
        "routing.yaml:L+2: no condition is called '下班时间 out of hour' (did you mean '下班时间 out of hours'?)"),
    'a condition made of itself': ('routing.yaml', '\nconditions:\n', '\nconditions:\n  a: {condition: b}\n  b: {condition: a}\n',
        "routing.yaml:L+3: 'a' is made of itself, or of too many others (a → b → a); take it out here"),
    'an include that is not there': ('routing.yaml', 'rules:\n', 'rules:\n  - include: routing/net.yaml\n',
        "routing.yaml:L+1: there is no file 'routing/net.yaml' to include (did you mean 'routing.yaml'?)"),
    'an include outside the folder': ('routing.yaml', 'rules:\n', 'rules:\n  - include: ../net.yaml\n',
        "routing.yaml:L+1: '../net.yaml' is no path within the folder of the rules; write it as in routing/network.yaml"),
    'an include of itself': ('routing.yaml', 'rules:\n', 'rules:\n  - include: routing.yaml\n',
        "routing.yaml:L+1: 'routing.yaml' includes itself without end: routing.yaml → routing.yaml; take this line out"),
    'a rule behind a stop for all': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    then: {tags: a}\n    stop: true\n',
        "routing.yaml:L+6: the rule '垃圾广告 spam' is never reached: 'x' (routing.yaml:L+1) matches every mail and stops; move it up, or take 'stop: true' out there"),
    'a rule behind a wider stop': ('routing.yaml', '  - name: 无线网络 wifi\n', '  - name: x\n    when: {subject contains: 交换}\n    then: {tags: a}\n    stop: true\n  - name: y\n    when: {subject contains: 交换机}\n    then: {tags: b}\n  - name: 无线网络 wifi\n',
        "routing.yaml:L+4: the rule 'y' is never reached: 'x' (routing.yaml:L+0) matches whatever this one would, and stops; move it up, or take 'stop: true' out there"),
    'an example that is missed': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subject contains: fax}\n    then: {tags: a}\n    examples: [VPN]\n',
        "routing.yaml:L+4: the rule 'x' does not match its example 'VPN': subject contains: fax is not met by «VPN»"),
    'a counter-example that is met': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subject contains: fax}\n    then: {tags: a}\n    counter_examples: [fax]\n',
        "routing.yaml:L+4: the rule 'x' matches its counter-example 'fax': subject contains: fax is met by «fax»"),
    'an example that cannot be read': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subject contains: fax}\n    then: {tags: a}\n    examples: [{subjekt: fax}]\n',
        "routing.yaml:L+4: a mail in short has no key 'subjekt' (did you mean 'subject'?)"),
    'off that is neither true nor false': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    when: {subject contains: fax}\n    then: {tags: a}\n    off: ja\n',
        "routing.yaml:L+4: 'off' is true or false, got 'ja'"),
    'a rule for mails that there are not': ('routing.yaml', 'rules:\n', 'rules:\n  - name: x\n    for: answers\n    when: {subject contains: fax}\n    then: {tags: a}\n',
        "routing.yaml:L+2: 'for' knows no 'answers'; write one of new mails, replies, all"),
    'a keyword that means two things': ('keywords.yaml', 'words: [accept', 'words: [resolved, accept',
        "keywords.yaml:L+25: 'resolved' already stands for accept (line L+0); a word means one thing, choose another"),
    'an address of two people': ('people.yaml', 'addresses: [zhao.min@example.com]', 'addresses: [wang.wei@example.com]',
        "people.yaml:L+-2: 'wang.wei@example.com' belongs to 'wang.wei' already; an address is one person's or customer's"),
    'a role that is none': ('people.yaml', 'roles: [pm]', 'roles: [pn]',
        "people.yaml:L+0: 'roles' knows no 'pn'; write one of requester, desk, engineer, pm, manager, director, sales, duty, vendor"),
    'an hour that is none': ('calendars.yaml', '09:00-12:00', '09:00-25:00',
        "calendars.yaml:L+0: '09:00-25:00' is not a span of time; write it as 09:00-12:00"),
    'hours that end before they begin': ('calendars.yaml', '09:00-12:00', '12:00-09:00',
        "calendars.yaml:L+0: '12:00-09:00' ends before it begins; write the earlier time first (24:00 is midnight)"),
    'a matrix with a hole': ('categories.yaml', 'low: {high: 3,', 'low: {hihg: 3,',
        "categories.yaml:L+0: the row 'impact low' has no key 'hihg' (did you mean 'high'?)"),
    'an event that is none': ('announcements.yaml', 'event: Opened', 'event: Open',
        "announcements.yaml:L+0: no event is called 'Open' (did you mean 'Opened'?)"),
    'a template that is not there': ('announcements.yaml', 'template: acknowledgement', 'template: acknowledgment',
        "announcements.yaml:L+0: there is no template 'acknowledgment' (did you mean 'acknowledgement'?)"),
}  # fmt: skip


def broken(folder: Path, file: str, old: str, new: str) -> int:
    """Break the rules in this folder; return the line of the change."""
    path = folder / file.removeprefix("+")
    content = path.read_bytes() if path.exists() else b""
    before, found, after = content.partition(old.encode()) if old else (content, b"", b"")
    assert found or not old, f"{file} has no {old!r}"
    path.write_bytes(before + new.encode().replace(rb"\xff", b"\xff") + after)
    return before.count(b"\n") + 1


@pytest.mark.parametrize("what", BROKEN)
def test_check_says_where_it_is_broken_and_how_to_mend_it(what: str, tmp_path: Path) -> None:
    file, old, new, message = BROKEN[what]
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    line = broken(tmp_path / "rules", file, old, new)
    said = [str(p) for p in try_rules(tmp_path / "rules", ROOT / "templates" / "email", TODAY).errors]
    expected = re.sub(r"L\+(-?\d+)", lambda m: str(line + int(m[1])), message)
    assert said[0].removeprefix(f"{tmp_path}/rules/") == expected, said


def test_every_kind_is_told_at_once(tmp_path: Path) -> None:
    """Whatever leaves the files readable is named in one run."""
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    kinds = [
        "an unknown team",
        "a role that is none",
        "an hour that is none",
        "a matrix with a hole",
        "an event that is none",
    ]
    for what in kinds:
        broken(tmp_path / "rules", *BROKEN[what][:3])
    said = "\n".join(map(str, try_rules(tmp_path / "rules", ROOT / "templates" / "email", TODAY).errors))
    assert [what for what in kinds if BROKEN[what][3].split(": ", 1)[1] not in said] == []


def test_a_5000_rule_file_is_checked_and_one_more_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    rule = "  - {{name: r{0}, when: {{subject contains: word{0}}}, then: {{tags: [t{0}]}}}}\n"
    for many, refused in ((5000, False), (5001, True)):
        text = (
            "rules:\n"
            + "".join(rule.format(n) for n in range(many - 1))
            + "  - {name: rest, then: {category: other}}\n"
        )
        (tmp_path / "rules" / "routing.yaml").write_text(text, "utf-8")
        errors = try_rules(tmp_path / "rules", ROOT / "templates" / "email", TODAY).errors
        assert any("at most 5000" in p.what for p in errors) is refused
        assert refused or errors == ()
