"""Where a host may listen, TLS by files, and what is renewed while it runs."""

from __future__ import annotations

import asyncio
import datetime
import shutil
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.fakes.callers import API_KEY, ENV, TokenIssuer, write_accounts
from tests.fakes.function_host import ADD_ONE, write_functions
from tests.process.cli.programs import start
from workers.errors import Invalid
from workers.functions import DoorSettings, FunctionHost, HostSettings, tls
from workers.functions.doors import Doors

# Several starts of processes, each of which may take long on a busy machine: more than the usual minute.
pytestmark = pytest.mark.timeout(240)

ISSUER = TokenIssuer()
SECONDS = 100


def certificate(folder: Path, name: str = "a", password: bytes | None = None) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    cert, private = folder / f"{name}.crt", folder / f"{name}.key"
    cert.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how))
    return cert, private


@asynccontextmanager
async def served(app_dir: Path, settings: DoorSettings) -> AsyncIterator[FunctionHost]:
    """A host behind its doors."""
    doors = Doors(settings, app_dir, ENV)
    host = FunctionHost(app_dir, settings.host, settings.port, settings=HostSettings(), env=ENV)
    doors.open(host)
    await host.start()
    doors.watch()
    try:
        yield host
    finally:
        await host.stop(drain_seconds=0)
        await doors.close()


def _files(cert: str, key: str) -> DoorSettings:
    return DoorSettings(tls_cert=Path(cert), tls_key=Path(key))


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app with one function and no accounts."""
    return write_functions(tmp_path / "app", {"addOne.js": ADD_ONE})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (DoorSettings("0.0.0.0"), "--host: other machines reach 0.0.0.0, and nobody would have to say who"),
        (DoorSettings("::"), "functions/authentication.yaml (docs/functions-api.md), or --host 127.0.0.1"),
        (DoorSettings("0.0.0.0", open=True), "--host: other machines reach 0.0.0.0"),
        (DoorSettings(authentication=Path("none.yaml")), "none.yaml: there is no such file"),
        (DoorSettings(tls_cert=Path("a.crt")), "--tls-key: is missing beside --tls-cert; both, or none"),
        (DoorSettings(tls_key=Path("a.key")), "--tls-cert: is missing beside --tls-key; both, or none"),
        (_files("none", "a.key"), "--tls-cert: none cannot be read: No such file or directory"),
        (_files("a.crt", "."), "--tls-key: . cannot be read: Is a directory"),
        (_files("a.key", "a.key"), "--tls-cert: a.key and a.key hold no certificate and key; PEM files"),
        (_files("a.crt", "b.key"), "--tls-key: b.key is not the key of the certificate in a.crt; the two"),
        (_files("c.crt", "c.key"), "--tls-key: c.key is encrypted; a private key without a password"),
    ],
)
def test_what_cannot_be_served_is_refused(
    app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: DoorSettings, said: str
) -> None:
    """Before anything listens: open doors to others, wrong files."""
    certificate(tmp_path)
    certificate(tmp_path, "b")
    certificate(tmp_path, "c", b"password")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Invalid) as caught:
        Doors(settings, app, {})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("accounts", "host", "said"),
    [
        (None, "0.0.0.0", "--host: other machines reach 0.0.0.0, and nobody would have to say who they are"),
        ("apiKeys: {ci: {}}", "127.0.0.1", "functions/authentication.yaml: apiKeys.ci: needs one of key and"),
    ],
)
def test_the_command_ends_with_2(app: Path, accounts: str | None, host: str, said: str) -> None:
    """Also on loopback: accounts that are there are meant."""
    if accounts is not None:
        (app / "functions/authentication.yaml").write_text(accounts)
    program = start("functions", "serve", "--app", app, "--port", 0, "--host", host)
    out, err = program.communicate(timeout=SECONDS)
    assert (program.returncode, out) == (2, "")
    assert said in err


def test_accounts_open_the_door_to_others(app: Path) -> None:
    """With authentication any address may be listened on; without it, loopback addresses alone."""
    with pytest.raises(Invalid, match="other machines reach 0"):
        Doors(DoorSettings("0.0.0.0"), app, {})
    assert Doors(DoorSettings("127.0.0.2"), app, {}).gate is None
    path = write_accounts(app, ISSUER)
    assert Doors(DoorSettings("0.0.0.0"), app, ENV).gate is not None
    assert Doors(DoorSettings(open=True), app, {}).gate is None
    path.rename(app.parent / "elsewhere.yaml")
    assert (
        Doors(DoorSettings("0.0.0.0", authentication=app.parent / "elsewhere.yaml"), app, ENV).gate
        is not None
    )


async def _status(host: FunctionHost, trusted: Path | None = None) -> int:
    """The status of a call with the API key, over a new connection."""
    context = ssl.create_default_context(cafile=trusted)
    context.check_hostname = False
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{host.endpoint}/functions/addOne", data=b"1", headers={"api-key": API_KEY}, ssl=context
        ) as answer,
    ):
        return answer.status


async def _certificate(host: FunctionHost) -> str:
    """What the host answers a new connection with, as PEM."""
    port = int(host.endpoint.rpartition(":")[2])
    return await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))


async def _until(look: Callable[[], Awaitable[object]], expected: object) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(SECONDS):
        while True:
            if await look() == expected:
                return
            await asyncio.sleep(0.02)


async def test_a_renewed_certificate_is_answered_with(
    app: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """No restart; a certificate without its key changes nothing until the key comes."""
    cert, key = certificate(tmp_path)
    settings = DoorSettings(port=0, tls_cert=cert, tls_key=key, rotation_seconds=0.05)
    async with served(app, settings) as host:
        assert host.endpoint.startswith("https://127.0.0.1:")
        assert await _status(host, cert) == 200
        old = cert.read_text()
        new_cert, new_key = certificate(tmp_path, "b")
        shutil.copy(new_cert, cert)
        await _until(lambda: _said(caplog, "not renewed"), expected=True)
        assert await _certificate(host) == old
        shutil.copy(new_key, key)
        await _until(lambda: _certificate(host), new_cert.read_text())
        assert await _status(host, new_cert) == 200


def test_a_certificate_replaced_while_it_is_read_is_wrong_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was whole when it was looked at may not be when it is taken over: the next look finds it."""
    cert, key = certificate(tmp_path)
    found = tls.Tls(cert, key)
    _, other = certificate(tmp_path, "b")
    monkeypatch.setattr(tls, "_context", lambda *_: shutil.copy(other, key))
    with pytest.raises(Invalid, match="is not the key of the certificate"):
        found.renew()


async def test_renewed_accounts_count(app: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Accounts, and the files they refer to; wrong ones change nothing."""
    path = write_accounts(app, ISSUER)
    async with served(app, DoorSettings(port=0, rotation_seconds=0.05)) as host:
        assert await _status(host) == 200
        path.write_text("apiKeys: {ci: {}}")
        await _until(lambda: _said(caplog, "not renewed"), expected=True)
        assert await _status(host) == 200
        (app / "key.txt").write_text("k" * 32)
        path.write_text('apiKeys: {ci: {key: "${file:key.txt}"}}')
        await _until(lambda: _status(host), 403)
        (app / "key.txt").write_text(API_KEY)
        await _until(lambda: _status(host), 200)


async def _said(caplog: pytest.LogCaptureFixture, text: str) -> bool:
    return text in caplog.messages
