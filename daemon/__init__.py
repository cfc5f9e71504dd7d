"""ticketd: an incident process that runs by mail."""

__version__ = "0.1.0"

# Another distribution (python-daemon) installs a package of this name; the command line looks for this mark.
PRODUCT = "ticketd"
