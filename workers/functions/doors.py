"""How a function host is reached: its address, TLS, and who may come in. Decided before anything starts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from workers.adapters.health_http import Answer, HealthServer
from workers.errors import Invalid, Problem
from workers.functions import rotation
from workers.functions.authentication.accounts_file import FILE, is_loopback, read_accounts
from workers.functions.authentication.gate import Gate
from workers.functions.host import FunctionHost
from workers.functions.measures import CONTENT_TYPE
from workers.functions.settings import ROTATION_SECONDS
from workers.functions.tls import Tls

VARIABLE: Final = "PENSTOCK_FUNCTIONS_AUTHENTICATION"


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """Where a host listens. `authentication` is the accounts' file: None for `functions/authentication.yaml`
    where the app folder has one. `open` leaves it out, on a loopback address alone."""

    host: str = "127.0.0.1"
    port: int = 9000
    tls_cert: Path | None = None
    tls_key: Path | None = None
    authentication: Path | None = None
    open: bool = False
    rotation_seconds: float = ROTATION_SECONDS
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None
    """Where `/metrics` and `/healthz` are served to whoever asks, over plain HTTP; None: nowhere but beside
    the API, for those who may look there."""


class Doors:
    """The gate and the certificate of one host, renewed while it runs."""

    def __init__(self, settings: DoorSettings, app_dir: Path, env: Mapping[str, str]) -> None:
        """Raises Invalid: a wrong file, or an address that others can reach without authentication."""
        self._settings, self._app_dir, self._env = settings, app_dir, env
        self._path = None if settings.open else _accounts_path(settings, app_dir)
        if self._path is None and not is_loopback(settings.host):
            text = f"other machines reach {settings.host}, and nobody would have to say who they are"
            expected = f"{FILE} (docs/functions-api.md), or --host 127.0.0.1"
            raise Invalid([Problem("", "--host", text, expected)])
        if (settings.tls_cert is None) != (settings.tls_key is None):
            missing, given = ("--tls-key", "--tls-cert") if settings.tls_cert else ("--tls-cert", "--tls-key")
            raise Invalid([Problem("", missing, f"is missing beside {given}", "both, or none")])
        self.gate: Gate | None = None
        self._files: tuple[Path, ...] = ()
        if self._path is not None:
            accounts = read_accounts(self._path, app_dir, env)
            self._files = accounts.files
            self.gate = Gate(accounts)
        self.tls = (
            Tls(settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None
        )
        self._watches: list[asyncio.Task[None]] = []
        self._metrics: HealthServer | None = None

    def open(self, host: FunctionHost) -> None:
        """Put them into a host that is not started yet."""
        host.identify = None if self.gate is None else self.gate.identify
        host.tls = None if self.tls is None else self.tls.context

    async def serve_metrics(self, host: FunctionHost) -> str | None:
        """Listen where metrics are asked for; the address. Raises Fatal when it cannot be had."""
        port = self._settings.metrics_port
        if port is None:
            return None

        def healthz() -> Answer:
            return Answer(503, "draining\n") if host.is_draining else Answer(200, "ok\n")

        def metrics() -> Answer:
            return Answer(200, host.metrics_text(), CONTENT_TYPE)

        self._metrics = HealthServer({"/metrics": metrics, "/healthz": healthz})
        return await self._metrics.start(self._settings.metrics_host, port)

    def watch(self) -> None:
        """Look for renewed files from now on."""
        seconds = self._settings.rotation_seconds
        if self.gate is not None:
            watching = rotation.watch("accounts", lambda: self._files, self._renew_accounts, seconds)
            self._watches.append(asyncio.create_task(watching))
        if self.tls is not None:
            tls = self.tls
            watching = rotation.watch("certificate", lambda: tls.files, self._renew_tls, seconds)
            self._watches.append(asyncio.create_task(watching))

    async def close(self) -> None:
        """Stop looking and being looked at."""
        if self._metrics is not None:
            await self._metrics.close()
        for task in self._watches:
            task.cancel()
        if self._watches:
            await asyncio.wait(self._watches)
        if self.gate is not None:
            await self.gate.close()

    async def _renew_accounts(self) -> None:
        assert self.gate is not None, "watched only where there is a gate"
        assert self._path is not None, "a gate has its file"
        accounts = await asyncio.to_thread(read_accounts, self._path, self._app_dir, self._env)
        self._files = accounts.files
        await self.gate.replace(accounts)

    async def _renew_tls(self) -> None:
        assert self.tls is not None, "watched only where there is a certificate"
        self.tls.renew()


def _accounts_path(settings: DoorSettings, app_dir: Path) -> Path | None:
    if settings.authentication is not None:
        return settings.authentication
    path = app_dir / FILE
    return path if path.exists() or path.is_symlink() else None
