"""The batch contracts by the names that `batch.contract` takes. Pure."""

from __future__ import annotations

from workers.calls.contract_array import ArrayContract
from workers.calls.contract_kafka_event import KafkaEventContract
from workers.calls.contract_records import RecordsContract
from workers.calls.framing import BatchContract


def batch_contract(name: str, bootstrap_servers: str = "") -> BatchContract:
    """The contract called `name`."""
    match name:
        case "records":
            return RecordsContract()
        case "array":
            return ArrayContract()
    assert name == "kafkaEvent", f"{name} is no contract"
    return KafkaEventContract(bootstrap_servers)
