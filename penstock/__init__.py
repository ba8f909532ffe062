"""Penstock's public Python face: what a program may import. Nothing else is promised.

    from penstock import compile_stages, load_app

Running processors is the command's business: `penstock worker`.
"""

from workers.appfolder import App, load_app
from workers.errors import Invalid, PenstockError, Poison, Problem
from workers.model import DROPPED, Many, Refused
from workers.pipeline import compile_expression, compile_processor, compile_stages
from workers.pipeline.program import Program

__all__ = [
    "DROPPED",
    "App",
    "Invalid",
    "Many",
    "PenstockError",
    "Poison",
    "Problem",
    "Program",
    "Refused",
    "compile_expression",
    "compile_processor",
    "compile_stages",
    "load_app",
]
