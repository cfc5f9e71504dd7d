"""ticketd: an incident process that runs by mail."""

__version__ = "0.1.0"
