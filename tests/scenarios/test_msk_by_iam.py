"""AWS_MSK_IAM before a broker whose door checks tokens as MSK does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.msk_gate import MskCluster
from tests.fakes.sts_stub import StsStub
from tests.scenarios.stories import group_of, story
from tests.scenarios.world import World, until

REGION = "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role/penstock"


@pytest.mark.kafka
@pytest.mark.parametrize(("delivery", "is_refused"), [("at-least-once", True), ("exactly-once", False)])
def test_a_worker_comes_in_to_msk_once_its_role_may_be_assumed(
    delivery: str, is_refused: bool, topic_name: Callable[[str], str], tmp_path: Path
) -> None:
    """While STS refuses the role the worker is not ready and says why; once it may be assumed, without a
    restart, records go through. No secret and no token is in the log."""
    with MskCluster(tmp_path, REGION) as msk, StsStub(ROLE, "tenant-7") as sts:
        msk.allow({f"ASIA{number}": f"assumed-secret-{number}" for number in range(1, 100)})
        world = World(msk.plain_address, tmp_path, topic_name)
        try:
            source, results, dead = world.topic("in"), world.topic("out"), world.topic("dead")
            connection = {
                "type": "Kafka",
                "bootstrapServers": msk.address,
                "security": {"protocol": "SASL_SSL", "caFile": str(msk.ca_file)},
                "authentication": {
                    "mechanism": "AWS_MSK_IAM", "region": REGION, "roleArn": ROLE, "externalId": "tenant-7",
                },
            }  # fmt: skip
            told = story(world, source, results, dead, [{"$addFields": {"x": 1}}])
            told["options"] = {**told["options"], "delivery": delivery}
            app = world.write_app({"kafka": connection}, {"p": told})
            world.produce(source, [{"id": number} for number in range(50)] + [b"poison"])
            if is_refused:
                sts.failure = (403, "AccessDenied")
            worker = world.start_worker(
                app,
                env={
                    "AWS_ACCESS_KEY_ID": "AKIDPOD", "AWS_SECRET_ACCESS_KEY": "pod-secret",
                    "AWS_ENDPOINT_URL_STS": sts.url, "AWS_EC2_METADATA_DISABLED": "true",
                },
            )  # fmt: skip
            if is_refused:
                until(lambda: "trust policy" in str(worker.status("p").get("troubles")), 60, "why it waits")
                assert not worker.is_ready()
                sts.failure = None
            until(worker.is_ready, 90, "ready")
            until(lambda: world.lag(group_of(source), source) == 0, 60, "lag 0")
            assert sorted(record.json["id"] for record in world.read(results)) == list(range(50))
            assert len(world.read(dead)) == 1
            assert msk.accepted > 0
            assert [why for why in msk.refused if not why.startswith("no signed URL in it")] == []
            assert bool(msk.refused) == is_refused
            assert worker.status("p")["troubles"] == []
            worker.terminate()
            worker.wait()
            said = worker.log()
            assert ("msk_token_failed" in said) == is_refused
            assert "secret" not in said.replace("sts:AssumeRole", "")
            assert "X-Amz" not in said
        finally:
            world.stop()
