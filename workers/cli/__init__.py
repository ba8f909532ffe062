"""`penstock`: the command line. One module for each command, imported only when that command is asked for."""

from workers.cli.application import main

__all__ = ["main"]
