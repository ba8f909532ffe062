"""Judges of a whole worker: chaos on a real broker, memory under a stalled function.

`python -m tests.chaos --help` and `python -m tests.chaos.memory --help`; plain pytest collects only the tests
of the judges themselves.
"""
