"""Stages over a whole list of documents: `$group $sort $limit $skip $count $bucket $sortByCount`.

A stream has no end, so a processor has none of them. `penstock eval` has a file, which ends.
"""

from collections.abc import Mapping
from typing import Final

from workers.pipeline.eval_stages import group, order
from workers.pipeline.spec import StageType

EVAL_STAGES: Final[Mapping[str, StageType]] = {**group.STAGES, **order.STAGES}
"""Stages that only `compile_stages` knows."""
