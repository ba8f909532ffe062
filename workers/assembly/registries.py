"""Schema registries, made of what the app folder says of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workers.adapters.trust import ca_bundle
from workers.appfolder import Connection, SchemaRegistryConnection, registry_client_config
from workers.engine.registered import SchemaParts
from workers.pipeline.program import Program

if TYPE_CHECKING:
    from workers.adapters.schema_registry import SchemaRegistry


@dataclass(slots=True)
class Registries:
    """The schema registries of a process: processors of one connection share what is known of it."""

    found: dict[str, SchemaRegistry] = field(default_factory=dict)

    def parts(self, program: Program, connections: Mapping[str, Connection]) -> SchemaParts:
        """What a processor needs of its registries."""
        name = None if program.source is None else program.source.schema_registry
        schemas = None if program.sink is None else program.sink.schemas
        source = None if name is None else self._registry(name, connections)
        sink = None if schemas is None else self._registry(schemas.connection, connections)
        return SchemaParts(
            None if source is None else source.reader(),
            source,
            None if sink is None or schemas is None else sink.writer(schemas.value, schemas.key),
            sink,
        )

    def rotated(self, connection: Connection) -> None:
        """Take up other secrets and certificates, where it is a registry that is in use."""
        registry = self.found.get(connection.name)
        if registry is not None and isinstance(connection, SchemaRegistryConnection):
            registry.rotated(registry_client_config(connection, ca_bundle(os.environ)))

    def close(self) -> None:
        """Abandon what is open."""
        for registry in self.found.values():
            registry.close()

    def _registry(self, name: str, connections: Mapping[str, Connection]) -> SchemaRegistry:
        if name not in self.found:
            # Its client and serializers take 0.2 s and 15 MB: only who has a registry pays for them.
            from workers.adapters.schema_registry import SchemaRegistry  # noqa: PLC0415

            connection = connections[name]
            assert isinstance(connection, SchemaRegistryConnection)
            config = registry_client_config(connection, ca_bundle(os.environ))
            self.found[name] = SchemaRegistry(name, config)
        return self.found[name]
