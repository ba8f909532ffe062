"""Secrets in files that are replaced while a worker runs, as Kubernetes does it: by switching a link."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from tests.unit.appfolder.folders import write
from workers.appfolder import KafkaConnection, LambdaConnection, kafka_client_config, load_app
from workers.appfolder.rotation import Rotated, Rotation

CONNECTIONS = """
kafka:
  type: Kafka
  bootstrapServers: "127.0.0.1:9092"
  security: {protocol: SASL_SSL, caFile: mounted/ca.crt}
  authentication: {mechanism: SCRAM-512, username: penstock, password: {file: mounted/password}}
aws:
  type: AWSLambda
  region: eu-central-1
  accessKeyId: ${file:mounted/key}
  secretAccessKey: {file: mounted/secret}
"""
FIRST = {"password": "old-password\n", "key": "AKIDOLD", "secret": "old-secret", "ca.crt": "old-ca"}
SECOND = {"password": "new-password\n", "key": "AKIDNEW", "secret": "new-secret", "ca.crt": "old-ca"}


def mount(folder: Path, version: str, files: dict[str, str]) -> None:
    """A version of a mounted secret: its files lie in a folder of their own, `..data` is switched to it at
    once and the old folder goes away."""
    mounted = folder / "mounted"
    (mounted / version).mkdir(parents=True)
    for name, text in files.items():
        (mounted / version / name).write_text(text, "utf-8")
        link = mounted / name
        if not link.is_symlink():
            link.symlink_to(Path("..data") / name)
    data = mounted / "..data"
    before = data.resolve() if data.is_symlink() else None
    (mounted / "..new").symlink_to(version)
    os.replace(mounted / "..new", data)
    if before is not None:
        for name in files:
            (before / name).unlink()
        before.rmdir()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    mount(tmp_path, "..v1", FIRST)
    return write(tmp_path, {"connections.yaml": CONNECTIONS})


def rotation_of(folder: Path) -> Rotation:
    return Rotation(folder, {}, load_app(folder, {}).connections)


def looked(rotation: Rotation) -> Rotated:
    """Two looks: the first one sees that something changed, the second one that it stands still."""
    assert rotation.look() == Rotated()
    return rotation.look()


def test_a_switched_link_brings_the_new_values(folder: Path) -> None:
    """Both connections come with what their files have now, once."""
    rotation = rotation_of(folder)
    assert looked(rotation) == Rotated()
    mount(folder, "..v2", SECOND)
    kafka, aws = sorted(looked(rotation).connections, key=lambda one: one.name, reverse=True)
    assert isinstance(kafka, KafkaConnection)
    assert isinstance(aws, LambdaConnection)
    assert kafka_client_config(kafka)["sasl.password"] == "new-password"
    assert aws.access_key_id is not None
    assert aws.access_key_id.get_secret_value() == "AKIDNEW"
    assert looked(rotation) == Rotated()


def test_a_replaced_certificate_names_its_connection(folder: Path) -> None:
    """Same values, another certificate at the same path."""
    rotation = rotation_of(folder)
    mount(folder, "..v2", {**FIRST, "ca.crt": "new-ca"})
    assert looked(rotation) == Rotated((), ("kafka",))


def test_the_path_of_a_certificate_outlives_its_renewal(folder: Path) -> None:
    """What a client opens later is the link, not what it pointed to when the app folder was read."""
    kafka = load_app(folder, {}).connections["kafka"]
    assert isinstance(kafka, KafkaConnection)
    mount(folder, "..v2", {**FIRST, "ca.crt": "new-ca"})
    assert Path(kafka_client_config(kafka)["ssl.ca.location"]).read_text("utf-8") == "new-ca"


def test_files_that_are_half_written_are_waited_for(folder: Path) -> None:
    """A change counts when the files have stood still for one look."""
    rotation = rotation_of(folder)
    mount(folder, "..v2", {**FIRST, "password": "half"})
    assert rotation.look() == Rotated()
    mount(folder, "..v3", SECOND)
    assert rotation.look() == Rotated()
    assert len(rotation.look().connections) == 2


def test_files_that_cannot_be_read_change_nothing(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A secret that is gone is said, without values, and taken up when it is back."""
    rotation = rotation_of(folder)
    (folder / "mounted" / "password").unlink()
    with caplog.at_level(logging.WARNING):
        assert looked(rotation) == Rotated()
    assert "secrets_not_renewed" in caplog.text
    assert "old-secret" not in caplog.text
    (folder / "mounted" / "password").write_text("newest", "utf-8")
    (kafka,) = looked(rotation).connections
    assert kafka.name == "kafka"


def test_a_certificate_renewed_beside_an_unreadable_secret_is_taken_up_with_it(folder: Path) -> None:
    """What was not taken up counts as changed until it is."""
    rotation = rotation_of(folder)
    mount(folder, "..v2", {**FIRST, "ca.crt": "new-ca"})
    (folder / "mounted" / "..v2" / "password").unlink()
    assert looked(rotation) == Rotated()
    (folder / "mounted" / "..v2" / "password").write_text(FIRST["password"], "utf-8")
    assert looked(rotation) == Rotated((), ("kafka",))


def test_one_connection_can_be_read_at_once(folder: Path) -> None:
    """After a refusal nobody waits for the next look."""
    rotation = rotation_of(folder)
    mount(folder, "..v2", SECOND)
    aws = rotation.reread("aws")
    assert isinstance(aws, LambdaConnection)
    assert aws.secret_access_key is not None
    assert aws.secret_access_key.get_secret_value() == "new-secret"
    assert rotation.reread("nobody") is None
