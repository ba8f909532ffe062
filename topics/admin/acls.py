"""Which rights a principal needs at the broker, and how Kafka's own tool gives them. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

Resource = Literal["topic", "group", "transactional-id", "cluster"]
Operation = Literal["Read", "Write", "Create", "Alter", "Describe", "AlterConfigs", "DescribeConfigs"]

CLUSTER: Final = "kafka-cluster"
"""What Kafka calls the one resource of type cluster."""
_IMPLIED: Final[dict[Operation, Operation]] = {
    "Read": "Describe", "Write": "Describe", "Alter": "Describe", "AlterConfigs": "DescribeConfigs",
}  # fmt: skip
"""By operation what Kafka's authorizer lets in with it: not worth a rule of its own."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Operations on one resource that `who` needs, and why. `is_prefix`: on all whose names begin so.

    A `name` that is empty is not known: documents name it while the processor runs.
    """

    who: str
    resource: Resource
    name: str
    operations: tuple[Operation, ...]
    why: str
    is_prefix: bool = False

    def as_dict(self) -> dict[str, Any]:
        """For programs; `pattern` in the words of Kafka's tool."""
        shown = asdict(self)
        is_prefix = shown.pop("is_prefix")
        return {
            **shown,
            "operations": list(self.operations),
            "pattern": "prefixed" if is_prefix else "literal",
        }


def merged(grants: Iterable[Grant]) -> list[Grant]:
    """One grant for each resource of each `who`, with the operations that no other of them brings along; all
    of a `who` together, in the order of their first mention."""
    found: dict[tuple[str, str, str, bool], Grant] = {}
    for grant in grants:
        key = (grant.who, grant.resource, grant.name, grant.is_prefix)
        if key in found:
            before = found[key]
            both = tuple(dict.fromkeys((*before.operations, *grant.operations)))
            why = before.why if grant.why in before.why else f"{before.why}, {grant.why}"
            grant = Grant(*key[:1], grant.resource, grant.name, both, why, grant.is_prefix)  # noqa: PLW2901
        found[key] = grant
    order = list(dict.fromkeys(who for who, *_ in found))
    return [_without_implied(one) for one in sorted(found.values(), key=lambda one: order.index(one.who))]


def commands(grants: Sequence[Grant], principal: str, bootstrap: str) -> list[str]:
    """Command lines for kafka-acls.sh, a comment before those of each `who`."""
    lines: list[str] = []
    who = ""
    for grant in grants:
        if grant.who != who:
            who = grant.who
            lines.append(f"# {who}")
        if not grant.name:
            lines.append(
                f"#   {'/'.join(grant.operations)} on {grant.resource}s that {grant.why}: add them by hand"
            )
            continue
        words = ["kafka-acls.sh", "--bootstrap-server", bootstrap, "--command-config", "admin.properties"]
        words += ["--add", "--allow-principal", principal]
        for operation in grant.operations:
            words += ["--operation", operation]
        words += ["--cluster"] if grant.resource == "cluster" else [f"--{grant.resource}", grant.name]
        if grant.is_prefix:
            words += ["--resource-pattern-type", "prefixed"]
        lines.append(shlex.join(words))
    return lines


def _without_implied(grant: Grant) -> Grant:
    implied = {_IMPLIED[one] for one in grant.operations if one in _IMPLIED}
    kept = tuple(one for one in grant.operations if one not in implied)
    return Grant(grant.who, grant.resource, grant.name, kept, grant.why, grant.is_prefix)
