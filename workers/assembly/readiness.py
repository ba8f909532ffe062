"""What keys that AWS does not take mean for the status of an engine process. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


def with_troubles(
    frame: Mapping[str, Any], troubles: Mapping[str, str], uses: Mapping[str, Collection[str]]
) -> Mapping[str, Any]:
    """The status frame with the troubles of connections at the processors that use them (`uses`, by
    processor): such a processor is not ready, nor is the worker while one runs or waits for its next start.
    One that FAILED is an alert of its own."""
    if not troubles:
        return frame

    def seen(status: Mapping[str, Any]) -> Mapping[str, Any]:
        found = [troubles[name] for name in sorted(uses.get(status["name"], ())) if name in troubles]
        if not found or status["state"] != "STARTED":
            return status
        texts = (status["trouble"], *found)
        return {**status, "ready": False, "trouble": "; ".join(text for text in texts if text)}

    processors = [seen(status) for status in frame["processors"]]
    is_ready = frame["ready"] and processors == list(frame["processors"])
    return {**frame, "ready": is_ready, "processors": processors}
