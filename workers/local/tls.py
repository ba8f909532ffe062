"""A certificate authority and a server certificate for the SASL_SSL listener, made by Java's own keytool."""

from __future__ import annotations

import os
import secrets
import subprocess
from pathlib import Path
from typing import Final

from workers.local.failure import LocalFailure
from workers.local.java import Java
from workers.local.jvm import clean_environment
from workers.local.kafka_settings import KeyStore

VALID_DAYS: Final = "3650"


def make_keys(java: Java, folder: Path) -> KeyStore:
    """A CA, and a certificate it signed for 127.0.0.1 and localhost, in `folder`; made once, then read again.

    Takes 2 s (four runs of keytool). Raises LocalFailure when this Java has no keytool.
    """
    store, ca_file, password_file = folder / "broker.p12", folder / "ca.pem", folder / "password"
    partial = folder / "ca.pem.partial"
    if not ca_file.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for leftover in (store, password_file):
            leftover.unlink(missing_ok=True)
        with open(os.open(password_file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as handle:
            handle.write(secrets.token_hex(16))
        key = ["-keyalg", "EC", "-groupname", "secp256r1", "-validity", VALID_DAYS]
        authority = ["-alias", "ca", "-dname", "CN=Penstock local CA", "-ext", "bc:c=ca:true"]
        broker = ["-alias", "broker", "-dname", "CN=localhost", "-ext", "san=ip:127.0.0.1,dns:localhost"]
        for arguments in (
            ["-genkeypair", *key, *authority, "-ext", "ku:c=keyCertSign"],
            ["-genkeypair", *key, *broker, "-signer", "ca"],
            ["-exportcert", "-rfc", "-alias", "ca", "-file", str(partial)],
            ["-delete", "-alias", "ca"],
        ):
            _keytool(java, store, password_file, arguments)
        partial.replace(ca_file)  # last: its presence says that the others are whole
    return KeyStore(store, password_file.read_text(), ca_file)


def _keytool(java: Java, store: Path, password_file: Path, arguments: list[str]) -> None:
    if java.keytool is None:
        raise LocalFailure(
            f"{java.launcher} comes without keytool, which makes the certificate of the listener"
        )
    # The same trade as for the broker: 0.4 s a run instead of 1.0.
    quick = ["-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC", "-J-XX:-UsePerfData"]
    common = ["-keystore", str(store), "-storetype", "PKCS12", "-storepass:file", str(password_file)]
    ran = subprocess.run(  # noqa: S603 - the keytool beside our Java
        [str(java.keytool), *quick, *arguments, *common], capture_output=True, text=True, timeout=60,
        check=False, stdin=subprocess.DEVNULL, env=clean_environment(os.environ),
    )  # fmt: skip
    if ran.returncode:
        raise LocalFailure(f"keytool {arguments[0]} failed: {(ran.stdout + ran.stderr).strip()[:500]}")
