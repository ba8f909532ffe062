"""The programs that run in worker processes. They import the standard library, `frames` and their engine
only."""
