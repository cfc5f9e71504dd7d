"""Measure one run: N mails waiting in a real Dovecot → all handled, all answers at an SMTP sink. Prints figures.

    scripts/bench.py [--mails 500] [--tickets 0,10000,100000] [--rules 500] [--json FILE] [--only routing]

The daemon runs as a process of its own, the sink in another. Beside the run stand the floors measured in the same
session: what each step costs at least with the parts that we use (raw fetch, parse, commit, render, send).
"""

from __future__ import annotations

import argparse
import contextlib
import imaplib
import json
import multiprocessing
import os
import platform
import resource
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from daemon.clock import Clock  # noqa: E402
from daemon.service import Service  # noqa: E402
from scripts.many_rules import many_rules  # noqa: E402
from scripts.mix import mails  # noqa: E402
from tests.desk import prepare  # noqa: E402
from tests.servers.dovecot import PASSWORD, Dovecot, running_dovecot  # noqa: E402

ORDINARY = 50_000  # bytes

# --- an SMTP sink that costs next to nothing, in a process of its own ---


def _sink(listener: socket.socket, count: multiprocessing.sharedctypes.Synchronized) -> None:
    while True:
        link, _ = listener.accept()
        with contextlib.suppress(OSError), link:
            _serve(link, count)


def _serve(link: socket.socket, count: multiprocessing.sharedctypes.Synchronized) -> None:
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.sendall(b"220 sink ESMTP\r\n")
    held, in_data = b"", False
    while chunk := link.recv(1 << 16):
        held += chunk
        answers = b""
        while True:
            if in_data:
                end = held.find(b"\r\n.\r\n")
                if end < 0:
                    break
                held, in_data = held[end + 5 :], False
                count.value += 1
                answers += b"250 ok\r\n"
                continue
            line, newline, rest = held.partition(b"\r\n")
            if not newline:
                break
            held = rest
            verb = line[:4].upper()
            if verb == b"EHLO":
                answers += b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
            elif verb == b"DATA":
                in_data = True
                answers += b"354 go\r\n"
            else:
                answers += b"250 ok\r\n"
        link.sendall(answers)


@contextlib.contextmanager
def sink() -> Iterator[tuple[int, multiprocessing.sharedctypes.Synchronized]]:
    listener = socket.create_server(("127.0.0.1", 0))
    count = multiprocessing.Value("i", 0)
    process = multiprocessing.Process(target=_sink, args=(listener, count), daemon=True)
    process.start()
    try:
        yield listener.getsockname()[1], count
    finally:
        process.kill()
        listener.close()


# --- one run ---


def setup(folder: Path, dovecot: Dovecot, smtp_port: int, user: str) -> Path:
    """Write a configuration whose rules send every mail to one team with a mailbox: two mails out for one in."""
    shutil.copytree(ROOT / "rules", folder / "rules")
    prepare(folder, imap=(dovecot.host, dovecot.port, "none"), smtp=("127.0.0.1", smtp_port, "none"), username=user)
    password = folder / "imap.password"
    password.write_text(PASSWORD + "\n", "utf-8")
    return folder / "ticketd.toml"


def run_once(config: Path) -> dict[str, float]:
    """Run one round as a process; return seconds, CPU seconds and the peak memory of it and its reader together."""
    command = [sys.executable, "-m", "daemon", "--config", str(config), "--log-level", "error", "run", "--once"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT)
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(map(_rss_kb, [process.pid, *_children(process.pid)])))
        time.sleep(0.02)
    took = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise SystemExit(f"the run ended with {process.returncode}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": took, "cpu": cpu, "peak_mb": peak / 1024}


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("utf-8").split()]
    return []


def _rss_kb(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
    return 0


def measure(tickets: int, count: int, dovecot: Dovecot, user: str) -> dict[str, float]:
    """Start the daemon on a mailbox where `count` mails wait; stop the watch when the last answer is at the sink."""
    with tempfile.TemporaryDirectory() as name, sink() as (port, sent):
        config = setup(Path(name), dovecot, port, user)
        run_once(config)
        database = Path(name) / "state" / "ticketd.db"
        if tickets:
            fill(database, tickets)
        dovecot.append(user, *mails(count, seed=tickets + 1))
        with ready_daemon(config) as process:
            began, cpu = time.perf_counter(), _tree_cpu(process.pid)
            peak = 0
            while not _all_done(database, count):
                peak = max(peak, sum(map(_rss_kb, [process.pid, *_children(process.pid)])))
                time.sleep(0.02)
            took, spent = time.perf_counter() - began, _tree_cpu(process.pid) - cpu
        return {
            "tickets": tickets,
            "mails": count,
            "mails_per_second": round(count / took, 1),
            "cpu_ms_per_mail": round(spent / count * 1000, 2),
            "peak_mb": round(peak / 1024, 1),
            "mails_out": sent.value,
        }


@contextlib.contextmanager
def ready_daemon(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start `ticketd run` and wait until it says that it is ready, as systemd would."""
    place = config.parent / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(place))
        command = [sys.executable, "-m", "daemon", "--config", str(config), "--log-level", "error", "run"]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "NOTIFY_SOCKET": str(place)})
        try:
            while b"READY=1" not in notify.recv(4096):
                pass
            yield process
        finally:
            process.terminate()
            process.wait(60)


def _all_done(database: Path, count: int) -> bool:
    """Whether every mail of this run is handled and nothing is owed any more."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as db:
        handled = db.execute("SELECT COUNT(*) FROM mail WHERE status = 'handled' AND uidvalidity <> 7").fetchone()[0]
        owed = db.execute("SELECT COUNT(*) FROM notice WHERE state = 'owed'").fetchone()[0]
        return handled >= count and owed == 0


def _tree_cpu(pid: int) -> float:
    """Return the CPU seconds of a process and its children, ended ones included."""
    tick = os.sysconf("SC_CLK_TCK")
    total = 0
    for one in [pid, *_children(pid)]:
        fields = Path(f"/proc/{one}/stat").read_text("utf-8").rpartition(")")[2].split()
        total += sum(map(int, fields[11:15]))
    return total / tick


def fill(path: Path, tickets: int) -> None:
    """Copy one handled mail's rows until the database holds this many tickets, as years of work would leave it."""
    db = sqlite3.connect(path)
    at = "2026-01-01T00:00:00.000000Z"
    picture = {"number": 0, "state": "archived", "subject": "old", "requester": "", "length": 8}

    def rows(make):
        return (make(n) for n in range(1, tickets + 1))

    with db:
        db.executemany(
            "INSERT INTO ticket (number,kind,state,severity,category,team,assignee,customer,requester,subject,opened_at,"
            "next_due_at,length,picture) VALUES (?,'incident','archived',4,'network','desk','','',?,'old',?,NULL,8,?)",
            rows(lambda n: (n, f"user{n % 5000}@old.example", at, json.dumps({**picture, "number": n}))),
        )
        db.executemany(
            "INSERT INTO mail (mailbox,uidvalidity,uid,received_at,size,sha256,path,status,reason,attempts,quiet,"
            "filed,message_id,core,ticket) VALUES ('support',7,?,?,3000,?,'','handled','',1,0,1,?,?,?)",
            rows(lambda n: (n, at, f"{n:064x}", f"old-{n}@old.example", f"{n:032x}", n)),
        )
        db.executemany(
            "INSERT INTO message VALUES (?,?,?,?,'','[]',?,'human','public','old',?,'[]')",
            rows(lambda n: (n, n, f"old-{n}@old.example", f"user{n % 5000}@old.example", at, "words " * 100)),
        )
        db.executemany("INSERT INTO participant VALUES (?,?)", rows(lambda n: (f"user{n % 5000}@old.example", n)))
        for seq in range(1, 9):
            db.executemany(
                "INSERT INTO event (ticket,seq,kind,data,at,cause) VALUES (?,?,'Noted',?,?,'mail:1')",
                rows(lambda n, seq=seq: (n, seq, '{"by": "x", "text": "y"}', at)),
            )
        for _ in range(3):
            db.executemany(
                "INSERT INTO notice (ticket,template,language,recipient,recipient_name,facts,visibility,automatic,"
                "answers,thread,stem,cause,state,attempts,created_at,message_id,envelope_from,last_reply,content,sent_at)"
                " VALUES (?,'progress','zh',?,'','{}','public',0,'','[]','old','','sent',1,?,?,'','',?,?)",
                rows(lambda n: (n, f"user{n % 5000}@old.example", at, f"n{n}@example.com", b"x" * 3000, at)),
            )
    db.close()


# --- the floors ---


def reading(count: int) -> dict[str, dict[str, float]]:
    """Return milliseconds of CPU for reading one mail as the daemon does: the mix, its plain mails, our own corpus."""
    from daemon.intake.letter import read_letter

    mix = list(mails(count))
    corpus = [p.read_bytes() for p in sorted((ROOT / "tests" / "mails").rglob("*.eml"))]
    found = {}
    for name, chosen in (("mix", mix), ("ordinary", [m for m in mix if len(m) < ORDINARY]), ("corpus", corpus)):
        spent = []
        for content in (*chosen[:20], *chosen):
            began = time.process_time()
            read_letter(content, thorough=False)
            spent.append((time.process_time() - began) * 1000)
        spent = sorted(spent[20:])
        found[name] = {"median": round(statistics.median(spent), 2), "p95": round(spent[len(spent) * 95 // 100], 2)}
    return found


def routing(count: int, rules: int) -> dict[str, float]:
    """Return milliseconds of CPU for routing one mail of the mix by so many rules, and seconds for reading the rules."""
    from daemon.decide import facts_for_rules
    from daemon.intake.letter import read_letter
    from daemon.intake.understand import Known, sender_of
    from daemon.routing.evaluate import route
    from daemon.routing.loader import RuleFiles, load_rulebook

    files = load_rulebook(ROOT / "rules").files | {"routing.yaml": many_rules(rules).encode()}
    began = time.process_time()
    book = load_rulebook(RuleFiles(ROOT, files))
    loaded = time.process_time() - began
    service = Service(
        name="s", address="support@example.com", language="zh", timezone="Asia/Shanghai", subject_tag="INC",
        own_addresses=frozenset({"support@example.com"}),
    )  # fmt: skip
    spent = []
    for letter in [read_letter(content, thorough=False) for content in mails(count)]:
        facts = facts_for_rules(letter, Known(sender=sender_of(letter, book)), book, service, Clock().now())
        began = time.process_time()
        route(facts, book)
        spent.append((time.process_time() - began) * 1000)
    spent.sort()
    median, p95 = statistics.median(spent), spent[len(spent) * 95 // 100]
    return {"rules": rules, "median": round(median, 2), "p95": round(p95, 2), "seconds_to_load": round(loaded, 1)}


def floors(bodies: list[bytes], dovecot: Dovecot, user: str) -> dict[str, float]:
    """Return milliseconds a mail for each step at its barest, in this session."""
    dovecot.append(user, *bodies)
    found = {"fetch": _fetch_floor(dovecot, user, len(bodies))}
    found["parse"] = _timed(len(bodies), lambda: [_parse(b) for b in bodies])
    with tempfile.TemporaryDirectory() as name:
        found["commit"] = _commit_floor(Path(name) / "x.db", bodies)
    found["render"] = _render_floor(200)
    with sink() as (port, _):
        found["send"] = _send_floor(port, 500)
    return {k: round(v, 3) for k, v in found.items()}


def _timed(count: int, deed) -> float:
    began = time.process_time()
    deed()
    return (time.process_time() - began) / count * 1000


def _parse(body: bytes) -> None:
    import mailparser

    mailparser.parse_from_bytes(body)


def _fetch_floor(dovecot: Dovecot, user: str, count: int) -> float:
    imap = imaplib.IMAP4(dovecot.host, dovecot.port)
    imap.login(user, PASSWORD)
    imap.select("INBOX", readonly=True)
    took = _timed(count, lambda: imap.uid("FETCH", "1:*", "(BODY.PEEK[])"))
    imap.logout()
    return took


def _commit_floor(path: Path, bodies: list[bytes]) -> float:
    db = sqlite3.connect(path)
    db.executescript(
        "PRAGMA journal_mode=wal; PRAGMA synchronous=full; CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB);"
        "CREATE TABLE u (a INTEGER PRIMARY KEY, b TEXT)"
    )

    def deed() -> None:
        for body in bodies:
            with db:
                db.execute("INSERT INTO t (b) VALUES (?)", (body,))
                for _ in range(5):
                    db.execute("INSERT INTO u (b) VALUES ('event')")

    return _timed(len(bodies), deed)


def _render_floor(count: int) -> float:
    import jinja2

    text = jinja2.Template("Dear {{ name }},\n\n{{ subject }} {{ number }}\n" * 10)
    html = jinja2.Template("<p>{{ name|e }}</p><p>{{ subject|e }}</p><td>{{ number }}</td>" * 20)
    facts = {"name": "User", "subject": "网络故障", "number": 12}
    return _timed(count, lambda: [(text.render(facts), html.render(facts)) for _ in range(count)])


def _send_floor(port: int, count: int) -> float:
    import smtplib

    body = b"Subject: x\r\n\r\n" + b"line of text\r\n" * 300
    client = smtplib.SMTP("127.0.0.1", port)
    client.ehlo()
    took = _timed(count, lambda: [client.sendmail("a@example.com", ["b@example.com"], body) for _ in range(count)])
    client.quit()
    return took


# --- latency and memory ---


def latency(dovecot: Dovecot, user: str, count: int = 15) -> dict[str, float]:
    """Return seconds from delivery to the answer at the sink, with IDLE, for mails that come one by one."""
    with tempfile.TemporaryDirectory() as name, sink() as (port, sent):
        config = setup(Path(name), dovecot, port, user)
        process = subprocess.Popen(
            [sys.executable, "-m", "daemon", "--config", str(config), "--log-level", "error", "run"], cwd=ROOT
        )
        time.sleep(4)
        took = []
        for body in mails(count, seed=99):
            already, began = sent.value, time.perf_counter()
            dovecot.deliver(user, body)
            while sent.value == already and time.perf_counter() - began < 30:
                time.sleep(0.005)
            took.append(time.perf_counter() - began)
            time.sleep(0.7)
        process.terminate()
        process.wait(30)
        return {"p50": round(statistics.median(took), 3), "worst": round(max(took), 3), "mails": count}


def memory(dovecot: Dovecot, user: str) -> dict[str, float]:
    """Return the peak memory of an empty round and of one with a mail of 100 MB (143 MB on the wire)."""
    with tempfile.TemporaryDirectory() as name, sink() as (port, _):
        config = setup(Path(name), dovecot, port, user)
        dovecot.append(user, next(mails(1)))
        small = run_once(config)
        line = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NQ==\r\n"
        head = (
            b"From: a@b.example\r\nSubject: big\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
            b"--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x\r\nContent-Type: application/zip; name=big.zip\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n"
        )
        dovecot.append(user, head + line[:76] * 0 + (line[4:80] + b"\r\n") * (143_000_000 // 78) + b"--x--\r\n")
        big = run_once(config)
        return {
            "small_mb": round(small["peak_mb"], 1),
            "big_mb": round(big["peak_mb"], 1),
            "extra_mb": round(big["peak_mb"] - small["peak_mb"], 1),
        }


def ratio(rate: dict[str, float], floor: dict[str, float]) -> float:
    """Return how many times the bare cost of all steps a mail costs us; every answer is rendered and sent too."""
    answers = rate["mails_out"] / rate["mails"]
    bare = floor["fetch"] + floor["parse"] + floor["commit"] + (floor["render"] + floor["send"]) * answers
    return round(rate["cpu_ms_per_mail"] / bare, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=500)
    parser.add_argument("--tickets", default="0,10000,100000")
    parser.add_argument("--json", default="")
    parser.add_argument("--only", choices=("rate", "latency", "memory", "floors", "reading", "routing"), default="")
    parser.add_argument("--rules", type=int, default=500)
    args = parser.parse_args()
    found: dict[str, Any] = {
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}"
    }
    if args.only in ("", "reading"):
        found["reading_ms_of_cpu"] = reading(args.mails)
    if args.only in ("", "routing"):
        found["routing_ms_of_cpu"] = routing(args.mails, args.rules)
    with running_dovecot() if args.only not in ("reading", "routing") else contextlib.nullcontext() as dovecot:
        if args.only in ("", "floors"):
            found["floors_ms_per_mail"] = floors(list(mails(min(args.mails, 200))), dovecot, "floors")
        if args.only in ("", "rate"):
            sizes = [int(t) for t in args.tickets.split(",")]
            found["rate"] = [measure(t, args.mails, dovecot, f"rate{t}") for t in sizes]
        if args.only in ("", "latency"):
            found["latency_seconds"] = latency(dovecot, "latency")
        if args.only in ("", "memory"):
            found["memory"] = memory(dovecot, "memory")
    if "rate" in found and "floors_ms_per_mail" in found:
        found["ratio_to_floors"] = [ratio(r, found["floors_ms_per_mail"]) for r in found["rate"]]
    print(json.dumps(found, indent=1, ensure_ascii=False))
    if args.json:
        Path(args.json).write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
