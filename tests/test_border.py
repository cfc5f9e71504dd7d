"""The verdict on a sender is the one of our own border server, in whatever form that server writes it."""

import pytest

from daemon.app import trust_of
from daemon.config import TrustConfig
from daemon.inspection import check_everything
from daemon.intake.border import border_says
from daemon.intake.identity import prove
from daemon.intake.letter import read_letter
from daemon.service import Trust
from daemon.words import Proof
from tests.desk import prepare

MX = Trust(authserv_ids=frozenset({"mx.example.com"}))
PASS = "Authentication-Results: mx.example.com; dmarc=pass header.from=example.com\r\n"
OWN = "Received: from mail.example.com (mail.example.com [192.0.2.1])\r\n\tby mx.example.com (Postfix) with ESMTPS id 4A;\r\n Mon, 23 Nov 2026 10:00:00 +0800\r\n"
LMTP = "Received: from mx.example.com\r\n\tby imap.example.com with LMTP id aGk; Mon, 23 Nov 2026 10:00:01 +0800\r\n"
FOREIGN = "Received: from laptop by mail.example.com with ESMTPSA id 1; Mon, 23 Nov 2026 09:59:59 +0800\r\n"
MAIL = "From: Li Na <li.na@example.com>\r\nTo: support@example.com\r\nSubject: x\r\n\r\n#accept\r\n"


def said(headers: str, trust: Trust = MX, mail: str = MAIL) -> tuple[Proof, str]:
    return prove(read_letter((headers + mail).encode()), None, (), trust)


def trusting(**given: object) -> Trust:
    """Return what a [trust] with these keys means."""
    return trust_of(TrustConfig.model_validate(given))


# --- where the field stands ---


@pytest.mark.parametrize(
    ("headers", "trust", "proof"),
    [
        pytest.param(
            PASS + OWN + FOREIGN, {}, Proof.VERIFIED, id="above the own Received, as rspamd and OpenDMARC write it"
        ),
        pytest.param(OWN + PASS + FOREIGN, {}, Proof.VERIFIED, id="below the own Received, as a milter may insert it"),
        pytest.param(LMTP + PASS + OWN, {}, Proof.NONE, id="Dovecot LMTP on top, not listed"),
        pytest.param(
            LMTP + PASS + OWN, {"received_by": ["imap.example.com"]}, Proof.VERIFIED, id="Dovecot LMTP on top"
        ),
        pytest.param(
            LMTP + OWN + PASS,
            {"received_by": ["imap.example.com", "MX.example.com"]},
            Proof.VERIFIED,
            id="two own hops",
        ),
        pytest.param(FOREIGN + PASS, {}, Proof.NONE, id="below a foreign Received"),
        pytest.param(OWN + FOREIGN + PASS, {}, Proof.NONE, id="below both"),
        pytest.param(OWN + OWN + PASS, {}, Proof.NONE, id="the own name twice: the second may be forged"),
        pytest.param(OWN + OWN + PASS, {"received_by": ["mx.example.com"] * 2}, Proof.VERIFIED, id="twice, as listed"),
        pytest.param(OWN + PASS, {"received_by": []}, Proof.NONE, id="no Received may stand above"),
        pytest.param("Received: (qmail 7 invoked by uid 0); x\r\n" + PASS, {}, Proof.NONE, id="nobody named"),
        pytest.param(
            "Received: from x (by mx.example.com ) by evil.example; x\r\n" + PASS, {}, Proof.NONE, id="in a comment"
        ),
        pytest.param(
            'Received: from "by mx.example.com" by evil.example; x\r\n' + PASS, {}, Proof.NONE, id="in quotes"
        ),
        pytest.param("Received: from a ((((( by mx.example.com; x\r\n" + PASS, {}, Proof.NONE, id="an open bracket"),
        pytest.param(PASS, {}, Proof.VERIFIED, id="no Received at all: handed over on this very machine"),
    ],
)
def test_the_field_counts_only_above_the_first_foreign_received(headers, trust, proof):
    assert said(headers, trusting(authserv_ids=["mx.example.com"], **trust))[0] is proof


def test_the_reason_says_whose_received_stands_in_the_way():
    proof, why = said(LMTP + PASS + OWN)

    assert proof is Proof.NONE
    assert "mx.example.com stands below a Received of imap.example.com" in why


FORGED = "Authentication-Results: mx.example.com; dmarc=pass header.from=example.com\r\n"


@pytest.mark.parametrize(
    "border",
    [
        "mx.example.com; dmarc=none header.from=example.com",
        "mx.example.com; dmarc=fail (p=NONE) header.from=example.com",
        "mx.example.com; spf=pass smtp.mailfrom=evil.example",
        "mx.example.com; none",
        "mx.example.com 2; dmarc=pass header.from=example.com",
        "mx.example.com; dmarc=pass (an open bracket",
        'mx.example.com; spf=pass smtp.mailfrom="an open quote',
        "",
        ";",
    ],
)
def test_only_the_topmost_field_of_our_server_counts_even_if_it_cannot_be_read(border):
    assert said(f"Authentication-Results: {border}\r\n{FORGED}")[0] is not Proof.VERIFIED


def test_fields_of_other_servers_above_ours_are_passed_over():
    other = "Authentication-Results: internal.example.net; dmarc=fail header.from=example.com\r\n"

    assert said(other + PASS)[0] is Proof.VERIFIED


# --- how it is written ---


@pytest.mark.parametrize(
    ("field", "proof"),
    [
        ("mx.example.com; dmarc=pass header.from=example.com", Proof.VERIFIED),
        ("MX.Example.COM 1; DMARC=Pass header.From=Example.COM", Proof.VERIFIED),
        ('"mx.example.com"; dmarc=pass header.from="example.com"', Proof.VERIFIED),
        ("mx.example.com (a (nested) comment) 1 ; dmarc = pass (p=reject) header.from = example.com;", Proof.VERIFIED),
        (
            "mx.example.com;\r\n\tspf=pass (mx.example.com: domain of a@b.example) smtp.mailfrom=a@b.example;\r\n\tdmarc=pass (policy=reject) header.from=example.com",
            Proof.VERIFIED,
        ),
        ("mx.example.com; iprev=pass smtp.remote-ip=2001:db8::1; dmarc=pass header.from=example.com", Proof.VERIFIED),
        (
            "mx.example.com; dkim=pass (2048-bit key; unprotected) header.d=example.com header.i=@example.com header.b=iC0/a+b=",
            Proof.VERIFIED,
        ),
        ("mx.example.com; dkim=pass header.i=li.na@example.com header.s=s1", Proof.VERIFIED),
        ("mx.example.com; dkim=fail header.d=example.com; dkim=pass header.d=example.com", Proof.VERIFIED),
        ("mx.example.com; dkim=pass header.d=evil.example; dkim=fail header.d=example.com", Proof.NONE),
        ("mx.example.com; dkim=pass header.d=sister.example.com", Proof.NONE),
        ("mx.example.com; dkim=pass header.d=com", Proof.NONE),
        ("mx.example.com; dkim=pass policy.d=example.com", Proof.NONE),
        ("mx.example.com; spf=pass smtp.mailfrom=li.na@example.com", Proof.NONE),
        ("mx.example.com; dmarc=pass header.from=evil.example", Proof.NONE),
        ("mx.example.com; dmarc=pass header.from=example.com; dmarc=none header.from=evil.example", Proof.NONE),
        ("mx.example.com; dmarc=pass header.from=example.com; dmarc=fail header.from=evil.example", Proof.FAILED),
        ("mx.example.com; dmarc=bestguesspass header.from=example.com", Proof.NONE),
        ("mx.example.com; dmarc=none (dmarc=pass header.from=example.com)", Proof.NONE),
        ('mx.example.com; dmarc=none (") header.from=x; dmarc=pass (")', Proof.NONE),
        ('mx.example.com; spf=pass smtp.mailfrom="a; dmarc=pass header.from=example.com"@evil.example', Proof.NONE),
        ('mx.example.com; spf=pass smtp.mailfrom="a\\"; dmarc=pass header.from=example.com"', Proof.NONE),
        ("mx.example.com; spf=pass smtp.mailfrom==?utf-8?q?a=3Bdmarc=3Dpass?=@evil.example", Proof.NONE),
        ("mx.example.com; x-dmarc=pass header.from=example.com", Proof.NONE),
        ("mx.example.com; dmarc=pass/header.from=example.com", Proof.NONE),
        ("mx.example.com; dmarc/1=pass header.from=example.com", Proof.VERIFIED),
        ("mx.example.com; dkim=pass header.d=example.com; dmarc=@@", Proof.NONE),
        ("mx.example.com dmarc=pass header.from=example.com", Proof.NONE),
        ("mx.example.com.evil.example; dmarc=pass header.from=example.com", Proof.NONE),
        ("dmarc=pass header.from=example.com; mx.example.com", Proof.NONE),
        ("mx.example.com; dmarc=pass header.from=example.com\xe9", Proof.NONE),
    ],
)
def test_the_field_is_read_as_rfc_8601_writes_it(field, proof):
    assert said(f"Authentication-Results: {field}\r\n")[0] is proof


def test_a_field_of_ten_thousand_parts_is_no_work():
    long = "Authentication-Results: mx.example.com" + "; x=pass" * 1500 + "; dmarc=pass header.from=example.com\r\n"

    assert said(long * 20)[0] is Proof.NONE


# --- Microsoft 365, Gmail ---

MICROSOFT = """Received: from AM0PR04MB1.eurprd04.prod.outlook.com (2603:10a6::1) by
 VI1PR04MB2.eurprd04.prod.outlook.com with HTTPS; Mon, 23 Nov 2026 02:00:03 +0000
Received: from DB8PR04CA0010.eurprd04.prod.outlook.com (2603:10a6:10:110::20) by
 AM0PR04MB1.eurprd04.prod.outlook.com (2603:10a6:208::1) with Microsoft SMTP Server
 (version=TLS1_2, cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id 15.20.1; Mon, 23 Nov 2026 02:00:02 +0000
Authentication-Results: spf=pass (sender IP is 192.0.2.1)
 smtp.mailfrom=example.com; dkim=pass (signature was verified)
 header.d=example.com;dmarc={0} action=none
 header.from=example.com;compauth=pass reason=100
Received-SPF: Pass (protection.outlook.com: domain of example.com designates 192.0.2.1 as permitted sender)
Received: from mail.example.com (192.0.2.1) by DB5EUR03FT010.mail.protection.outlook.com (10.152.20.96) with Microsoft
 SMTP Server id 15.20.1 via Frontend Transport; Mon, 23 Nov 2026 02:00:01 +0000
""".replace("\n", "\r\n")


def test_microsoft_365_names_no_server_and_is_believed_only_by_configuration():
    microsoft = trusting(microsoft365=True)

    assert said(MICROSOFT.format("pass"), microsoft)[0] is Proof.VERIFIED
    assert said(MICROSOFT.format("fail"), microsoft)[0] is Proof.FAILED
    assert said(MICROSOFT.format("pass"), trusting(authserv_ids=["mx.example.com"]))[0] is Proof.NONE
    assert said(MICROSOFT.format("pass"), Trust())[0] is Proof.NONE


def test_a_sender_cannot_write_microsofts_field_below_a_foreign_received():
    forged = MICROSOFT[MICROSOFT.index("Authentication-Results") :].format("pass")

    assert said(FOREIGN + forged, trusting(microsoft365=True))[0] is Proof.NONE


GMAIL = """Received: by 2002:a05:6a10:1d1:b0:5f2:7a1c:8a23 with SMTP id e17csp1; Sun, 22 Nov 2026 18:00:02 -0800 (PST)
X-Received: by 2002:a17:906:4; Sun, 22 Nov 2026 18:00:01 -0800 (PST)
ARC-Seal: i=2; a=rsa-sha256; t=1; cv=pass; d=google.com; s=arc-2026; b=abc
 def==
ARC-Authentication-Results: i=2; mx.google.com; arc=pass (i=1 dmarc=pass fromdomain=example.com); dmarc=fail header.from=example.com
Received: from lists.example.org (lists.example.org. [192.0.2.9])
        by mx.google.com with ESMTPS id a1 for <support@example.com>; Sun, 22 Nov 2026 18:00:01 -0800 (PST)
Authentication-Results: mx.google.com; dkim=fail header.i=@example.com;
       arc={arc} (i=1 spf=pass dkim=pass dkdomain=example.com dmarc=pass fromdomain=example.com);
       spf=pass (google.com: domain of x@lists.example.org designates 192.0.2.9) smtp.mailfrom=x@lists.example.org;
       dmarc=fail (p=REJECT sp=REJECT dis=NONE) header.from=example.com
ARC-Seal: i=1; a=rsa-sha256; t=1; cv=none; d={sealer}; s=x; b=abc
ARC-Authentication-Results: i=1; lists.example.org; dmarc={first} header.from=example.com
""".replace("\n", "\r\n")
FORWARDED = {"arc": "pass", "sealer": "lists.example.org", "first": "pass"}


@pytest.mark.parametrize(
    ("sealers", "wrong", "proof"),
    [
        (["lists.example.org", "google.com"], {}, Proof.VERIFIED),
        ([], {}, Proof.FAILED),
        (["google.com"], {}, Proof.FAILED),
        (["lists.example.org"], {}, Proof.FAILED),
        (["lists.example.org", "google.com"], {"arc": "fail"}, Proof.FAILED),
        (["lists.example.org", "google.com"], {"sealer": "evil.example"}, Proof.FAILED),
        (["lists.example.org", "google.com"], {"first": "fail"}, Proof.FAILED),
        (["lists.example.org", "google.com"], {"first": "none"}, Proof.FAILED),
    ],
)
def test_what_a_list_passed_on_counts_if_every_sealer_is_trusted_and_the_first_saw_it_pass(sealers, wrong, proof):
    google = trusting(authserv_ids=["mx.google.com"], received_by=["2002:a05:*", "mx.google.com"], arc_sealers=sealers)

    assert said(GMAIL.format(**{**FORWARDED, **wrong}), google)[0] is proof


def test_a_chain_with_a_gap_or_a_number_twice_is_no_chain():
    google = trusting(
        authserv_ids=["mx.google.com"], received_by=["2002:a05:*", "mx.google.com"],
        arc_sealers=["lists.example.org", "google.com"],
    )  # fmt: skip
    whole = GMAIL.format(**FORWARDED)

    assert said(whole.replace("ARC-Seal: i=2", "ARC-Seal: i=3"), google)[0] is Proof.FAILED
    assert said(whole.replace("ARC-Seal: i=2", "ARC-Seal: i=1"), google)[0] is Proof.FAILED


# --- the rest of the heading ---


@pytest.mark.parametrize("name", ["Sender", "Subject", "Date", "Message-ID", "To", "Cc", "Reply-To", "In-Reply-To"])
def test_a_header_that_stands_twice_takes_all_authority_away(name):
    twice = f"{name}: a@example.com\r\n{name}: b@example.com\r\n"
    other = "".join(line for line in MAIL.splitlines(keepends=True) if not line.startswith(f"{name}:"))

    assert said(PASS + twice, mail=other)[0] is Proof.NONE
    token = prove(read_letter((twice + other).encode()), "li.na@example.com", ("li.na@example.com",), MX)
    assert token[0] is Proof.NONE


def test_without_anybody_to_believe_nothing_is_believed():
    assert (
        border_says((("authentication-results", PASS.partition(": ")[2].strip()),), "example.com", Trust())[0]
        is Proof.NONE
    )


# --- check ---


@pytest.mark.parametrize(
    "line",
    [
        'authserv_ids = ["mx.example.com"]',
        "authserv_ids = []\nmicrosoft365 = true",
        "authserv_ids = []\ncheck_dkim = true",
    ],
)
def test_check_remarks_where_only_the_token_tells_forged_senders(tmp_path, line):
    prepare(tmp_path)
    path = tmp_path / "ticketd.toml"
    before = [p for p in check_everything(path)[1] if "[trust]" in p.what]
    path.write_text(path.read_text("utf-8").replace("authserv_ids = []", line, 1), "utf-8")
    after = [p for p in check_everything(path)[1] if "[trust]" in p.what]

    assert (before[0].file, before[0].line) == (str(path), path.read_text("utf-8").splitlines().index("[trust]") + 2)
    assert not after
