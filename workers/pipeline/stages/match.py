"""`$match`: documents for which the query does not hold go no further. The query is `match/`'s."""

from __future__ import annotations

from typing import Any, Final

from workers.pipeline.spec import StageSpec, StageType, Steps


def _parse(steps: Steps, spec: Any, path: str) -> StageSpec | None:
    found = steps.match(spec, path)
    if found is None:
        return None
    return StageSpec("$match", path, lambda em: found.unless(em, em.drop))


STAGES: Final[dict[str, StageType]] = {
    "$match": StageType(
        name="$match",
        parse=_parse,
        meaning="Lets a document pass when the query holds for it.",
        syntax="{$match: <query>}",
        example={"$match": {"total": {"$gt": 100}, "status": {"$in": ["paid", "sent"]}}},
    )
}
