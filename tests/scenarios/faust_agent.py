"""A Faust worker with one agent that calls a function, as a process of its own.

    python -m tests.scenarios.faust_agent settings.json

`settings.json`: {app, broker, folder, source, results, stub, call, raises_at,
session_seconds}. Results go to the partition of
`results` that their record had in `source`. At the id `raises_at` the agent fails, once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import faust
import orjson

from penstock.faust import external_function


def made(settings: dict[str, Any]) -> faust.App:
    """The app of these settings."""
    app = faust.App(
        settings["app"], broker=f"kafka://{settings['broker']}", store="memory://",
        datadir=settings["folder"], topic_replication_factor=1, consumer_auto_offset_reset="earliest",
        broker_session_timeout=settings["session_seconds"], broker_heartbeat_interval=1.0,
        broker_commit_interval=0.5,
    )  # fmt: skip
    source = app.topic(settings["source"], key_serializer="raw", value_serializer="raw")
    results = app.topic(settings["results"], key_serializer="raw", value_serializer="raw")
    enrich = external_function(
        app, settings["app"],
        connection={
            "region": "eu-central-1", "endpointUrl": settings["stub"],
            "accessKeyId": "test", "secretAccessKey": "test",
        },
        **settings["call"],
    )  # fmt: skip

    fails_at = {settings.get("raises_at")}

    @app.agent(source)
    async def process(stream: Any) -> AsyncIterator[Any]:
        async for result in enrich(stream).results():
            if result.document["id"] in fails_at:
                fails_at.clear()
                raise ValueError("the agent's own fault")
            await results.send(
                key=result.key,
                value=orjson.dumps(result.document),
                partition=result.event.message.partition,
            )
            yield result.key

    async def measure() -> None:
        text = enrich.metrics_text()
        target = Path(settings["folder"]) / f"metrics-{os.getpid()}"
        target.with_suffix(".new").write_text(text)
        target.with_suffix(".new").rename(target)

    app.timer(0.5)(measure)
    return app


if __name__ == "__main__":
    app_made = made(json.loads(Path(sys.argv[1]).read_text()))
    sys.argv = [sys.argv[0], "worker", "--loglevel=info", "--without-web"]
    app_made.main()
