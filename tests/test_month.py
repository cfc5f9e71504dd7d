"""A week of a service desk on real servers, judged by somebody who shares no code with the daemon.

`make month` plays a whole month of 300 incidents the same way.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.month.checker import judge
from tests.month.play import WEEK, campaign, servers

pytestmark = pytest.mark.servers


def test_every_mail_that_was_owed_left_once_in_time_to_the_right_people_and_no_other(tmp_path: Path) -> None:
    with servers(tmp_path / "desk") as place:
        week = campaign(place, WEEK, seed=1, incidents=12)
        evidence = week.play()
    verdict = judge(evidence)
    assert verdict.differences == []
    assert len(evidence.tickets) == 12 and verdict.owed == verdict.found == len(evidence.mails) > 120
    assert {t["customer"] for t in evidence.tickets.values()} == {"huaxin", "rhein", "nonstop"}
