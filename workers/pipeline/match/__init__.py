"""The query language of `$match`, compiled: one family of operators a module."""

from workers.pipeline.match.build import UNSUPPORTED, Match, compile_match, top_expressions

__all__ = ["UNSUPPORTED", "Match", "compile_match", "top_expressions"]
