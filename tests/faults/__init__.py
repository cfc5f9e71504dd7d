"""The fault campaign: what happens to mail when everything around the daemon fails, judged by code that shares none of it.

`make faults` runs all of it; `python -m tests.faults --help` says how one part, or one failure, is run again. docs/faults.md.
"""
