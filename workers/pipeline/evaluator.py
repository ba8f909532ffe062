"""An expression as a function of a document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workers.model import Document, Meta
from workers.pipeline.emit import Emitter
from workers.pipeline.nodes import Node
from workers.pipeline.unit import Unit, depth_of


def evaluator(node: Node) -> Callable[[Document, Meta | None], Any]:
    """(document, its meta) -> the value, MISSING included. It raises Poison that names the place.

    Raises Invalid where the expression is too deep to be written as source.
    """
    emitter, unit = Emitter(), Unit()
    emitter.names["poison"] = unit.poison
    with emitter.block("def expression(d0, meta):"):
        with emitter.block("try:"), depth_of(lambda: node.path):
            emitter.line(f"return {emitter.value(node)}")
        with emitter.block("except Exception as error:"):
            emitter.line("raise poison(error) from None")
    emitter.begin(1)
    made: Callable[[Document, Meta | None], Any] = unit.make(emitter, "expression")
    return made
