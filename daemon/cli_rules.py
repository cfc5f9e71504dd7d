"""The command line's group `ticketd rules`: looking at, trying and changing the rules of a live system.

What comes in: arguments. What goes out: text, JSON and an exit status.
"""

from __future__ import annotations

import click


@click.group()
def rules() -> None:
    """Look at the rules that count, try new ones, and put them into force."""
