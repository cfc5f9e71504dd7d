"""`python -m daemon` is `ticketd`."""

from daemon.cli import main

main()
