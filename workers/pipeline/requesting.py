"""From a document to the path, query and headers of a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workers.model import Document, Meta, Refused
from workers.pipeline.emit import Emitter
from workers.pipeline.http_text import header_text, headers_of, parameter_text, path_text, target_of
from workers.pipeline.nodes import Node
from workers.pipeline.program import HttpsSpec, RequestLine
from workers.pipeline.spec import RequestSpec
from workers.pipeline.unit import StageMark, Unit, depth_of


def compile_request(spec: RequestSpec, operator: str, path: str) -> HttpsSpec:
    """The request of a call site. Raises Invalid where an expression is too deep to be written as source."""
    return HttpsSpec(
        method=spec.method,
        line=_line(spec, operator, path),
        sends_body=spec.sends_body,
        connect_timeout_seconds=spec.connect_timeout_seconds,
        parse_json_strings=spec.parse_json_strings,
        retry_on=spec.retry_on,
    )


def _line(
    spec: RequestSpec, operator: str, path: str
) -> Callable[[Document, Meta | None], RequestLine | Refused]:
    emitter, unit = Emitter(), Unit()
    emitter.names |= {"refused": unit.refused, "RequestLine": RequestLine}
    with emitter.block("def line(d0, meta):"):
        with emitter.block("try:"):
            emitter.path = path
            target = [repr("") if spec.path is None else _part(emitter, path_text, spec.path)]
            for name, node in spec.parameters:
                target.append(_part(emitter, parameter_text, node, name))
            headers = [_part(emitter, header_text, node, name) for name, node in spec.headers]
            emitter.path = path
            whole = f"{emitter.function(target_of)}({', '.join(target)})"
            found = f"{emitter.function(headers_of)}({', '.join(headers)})"
            emitter.line(f"return RequestLine({whole}, {found})")
        with emitter.block("except Exception as error:"):
            emitter.line("return refused(error, locals())")
    emitter.begin(1)
    made: Callable[[Document, Meta | None], RequestLine | Refused] = unit.make(
        emitter, "line", [StageMark(operator, path, "d0")]
    )
    return made


def _part(emitter: Emitter, function: Callable[..., Any], node: Node, name: str | None = None) -> str:
    """A call of `function` with the value of an expression; what goes wrong there has its place."""
    with depth_of(lambda: node.path):
        value = emitter.value(node)
    emitter.path = node.path
    arguments = [value] if name is None else [ascii(name), value]
    return emitter.call(function, *arguments)
