"""The pictures of a report, drawn by a child process where the extra `charts` is installed.

What comes in: report facts. What goes out: PNG by name, or nothing and why: a report without pictures is whole too.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from daemon.reports.wording import Speech

_DRAWING = Path(__file__).with_name("drawing.py")
_PATIENCE = 60
_MOST_BARS = 12


def pictures_of(facts: dict[str, Any], wording: Speech) -> tuple[dict[str, bytes], str]:
    """Return (PNG by name, why there are none)."""
    if importlib.util.find_spec("matplotlib") is None:
        return {}, "no pictures: pip install 'ticketd[charts]'"
    asked = {**_course(facts, wording), **_categories(facts)}
    if not asked:
        return {}, ""
    command = [sys.executable, "-I", str(_DRAWING)]
    try:
        done = subprocess.run(
            command, input=json.dumps(asked).encode(), capture_output=True, timeout=_PATIENCE, check=True
        )
    except subprocess.CalledProcessError as e:
        last = e.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        return {}, f"no pictures: {''.join(last) or f'drawing ended with {e.returncode}'}"
    except (OSError, subprocess.TimeoutExpired) as e:
        return {}, f"no pictures: {e}"
    return {name: base64.b64decode(png) for name, png in json.loads(done.stdout).items()}, ""


def as_data_url(png: bytes) -> str:
    """Return a picture as an address that holds it whole, for a page in one file."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _course(facts: dict[str, Any], wording: Speech) -> dict[str, Any]:
    points = facts["course"]
    if len(points) < 2 or not any(p["reported"] or p["solved"] for p in points):  # noqa: PLR2004 - one column is no course
        return {}
    series = [{"name": wording.say(name), "values": [len(p[name]) for p in points]} for name in ("reported", "solved")]
    labels = [p["from"][5:] for p in points]
    return {"course": {"kind": "columns", "title": wording.say("course"), "labels": labels, "series": series}}


def _categories(facts: dict[str, Any]) -> dict[str, Any]:
    kpi = next((k for k in facts["kpis"] if k["key"] == "volume_by_category"), None)
    rows = kpi["rows"][:_MOST_BARS] if kpi else []
    if kpi is None or not rows:
        return {}
    series = [{"name": kpi["name"], "values": [row["figures"][0]["value"] for row in rows]}]
    labels = [row["label"] for row in rows]
    return {"volume_by_category": {"kind": "bars", "title": kpi["name"], "labels": labels, "series": series}}
