"""Compares the contracts of topics with a cluster and says what to do. Pure; `apply` carries the list out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

from topics.contract import LARGEST_INT, MAX_MESSAGE, TopicContract

# Three copies survive the loss of one broker during the maintenance of another; more gain little.
MOST_REPLICAS: Final = 3
# A dead letter is its record and one header with the reason and at most 8 KiB of the document.
DEAD_LETTER_ROOM_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the cluster has it. `config` holds the values in effect, defaults too, by Kafka's names."""

    partitions: int
    replication: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ClusterState:
    """What a plan needs to know of a cluster. `max_message_bytes` is what a new topic gets."""

    brokers: int
    max_message_bytes: int
    topics: Mapping[str, TopicState]


@dataclass(frozen=True, slots=True)
class Create:
    """Make a topic. `config` holds what the contract states, nothing else."""

    topic: str
    partitions: int
    replication: int
    config: Mapping[str, str]
    kind: Literal["create"] = "create"

    def describe(self) -> str:
        settings = "".join(f", {name}={value}" for name, value in sorted(self.config.items()))
        copies = f"{self.replication} {'copy' if self.replication == 1 else 'copies'}"
        return f"create {self.topic}: {_partitions(self.partitions)}, {copies}{settings}"


@dataclass(frozen=True, slots=True)
class Grow:
    """Add partitions. `moves_keys`: a key's later records may go to another partition."""

    topic: str
    found: int
    wanted: int
    moves_keys: bool = True
    kind: Literal["grow"] = "grow"

    def describe(self) -> str:
        warning = "; a key's new records may go to another partition" if self.moves_keys else ""
        return f"grow {self.topic} from {_partitions(self.found)} to {self.wanted}{warning}"


@dataclass(frozen=True, slots=True)
class Alter:
    """Change settings: name -> (value in effect or None when the cluster names none, value to set)."""

    topic: str
    changes: Mapping[str, tuple[str | None, str]]
    kind: Literal["alter"] = "alter"

    def describe(self) -> str:
        changes = (
            f"{name} from {old if old is not None else 'unset'} to {new}"
            for name, (old, new) in sorted(self.changes.items())
        )
        return f"alter {self.topic}: {', '.join(changes)}"


@dataclass(frozen=True, slots=True)
class Refuse:
    """The contract asks for what cannot be done; nothing of a plan with a refusal is carried out."""

    topic: str
    reason: str
    kind: Literal["refuse"] = "refuse"

    def describe(self) -> str:
        return f"refuse {self.topic}: {self.reason}"


Step: TypeAlias = Create | Grow | Alter | Refuse


def as_dict(step: Step) -> dict[str, Any]:
    """A step as plain data, for `--json`."""
    return {**asdict(step), "text": step.describe()}


def plan(want: Sequence[TopicContract], have: ClusterState) -> list[Step]:
    """What makes the cluster keep the contracts, in the order of topic names; empty when it does already.

    Topics without a contract, and settings that a contract does not state, are left as they are.
    """
    contracts = {contract.name: contract for contract in sorted(want, key=lambda contract: contract.name)}
    assert len(contracts) == len(want), "two contracts for one topic"
    steps: list[Step] = []
    for name, contract in contracts.items():
        settings = contract.settings()
        if contract.dead_letters_of:
            needed = _needed_bytes(name, contracts, have, ())
            if needed is None:
                steps.append(Refuse(name, "deadLettersOf leads back to the topic itself"))
                continue
            enough = max(needed, _current_bytes(name, have)) if name in have.topics else needed
            stated = settings.setdefault(MAX_MESSAGE, str(enough))
            if int(stated) < needed:
                steps.append(Refuse(name, f"{MAX_MESSAGE} {stated} is under {needed}: dead letters need it"))
                continue
        steps += _steps(contract, settings, have)
    return steps


def is_visible(step: Step, cluster: ClusterState) -> bool:
    """Whether the cluster already shows what the step did: brokers learn of it after the controller has."""
    found = cluster.topics.get(step.topic)
    if found is None:
        return isinstance(step, Refuse)
    match step:
        case Create(_topic, partitions, _replication, config):
            return found.partitions >= partitions and _has(found, config)
        case Grow(_topic, _found, wanted):
            return found.partitions >= wanted
        case Alter(_topic, changes):
            return _has(found, {name: value for name, (_old, value) in changes.items()})
        case Refuse():
            return True


def _has(found: TopicState, settings: Mapping[str, str]) -> bool:
    return all(same_value(found.config.get(name), value) for name, value in settings.items())


def _steps(contract: TopicContract, settings: Mapping[str, str], have: ClusterState) -> list[Step]:
    name, wanted = contract.name, contract.partitions
    found = have.topics.get(name)
    if found is None:
        return [Create(name, wanted, max(1, min(MOST_REPLICAS, have.brokers)), dict(settings))]
    if wanted < found.partitions:
        return [Refuse(name, f"partitions cannot shrink from {found.partitions} to {wanted}")]
    steps: list[Step] = []
    if wanted > found.partitions:
        steps.append(Grow(name, found.partitions, wanted, moves_keys=contract.key != "none"))
    changes = {
        setting: (found.config.get(setting), value)
        for setting, value in settings.items()
        if not same_value(found.config.get(setting), value)
    }
    if changes:
        steps.append(Alter(name, changes))
    return steps


def same_value(found: str | None, wanted: str) -> bool:
    """Whether two config values mean the same: lists in any order, numbers however they are written."""
    if found is None or found == wanted:
        return found == wanted
    try:
        return float(found) == float(wanted)
    except ValueError:
        return _items(found) == _items(wanted)


def _items(text: str) -> set[str]:
    return {item.strip() for item in text.split(",")}


def _needed_bytes(
    topic: str, contracts: Mapping[str, TopicContract], have: ClusterState, behind: tuple[str, ...]
) -> int | None:
    """Room for the largest record of the source topics and the header that says why it is here.

    Sources may take dead letters themselves; `behind` are the topics on the way here. None: a circle.
    """
    if topic in behind:
        return None
    needed = 0
    for source in contracts[topic].dead_letters_of:
        largest = _current_bytes(source, have)
        if source in contracts:
            stated = contracts[source].settings().get(MAX_MESSAGE)
            of_source = _needed_bytes(source, contracts, have, (*behind, topic))
            if of_source is None:
                return None
            largest = int(stated) if stated is not None else max(largest, of_source)
        needed = max(needed, largest + DEAD_LETTER_ROOM_BYTES)
    return min(needed, LARGEST_INT)


def _current_bytes(topic: str, have: ClusterState) -> int:
    """The largest record batch that the topic takes now, or would take if it were made."""
    state = have.topics.get(topic)
    return int(state.config.get(MAX_MESSAGE, have.max_message_bytes)) if state else have.max_message_bytes


def _partitions(count: int) -> str:
    return f"{count} partition{'' if count == 1 else 's'}"
