"""Reading `functions/authentication.yaml`: who may call, with secrets by reference alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from workers.errors import Invalid, Problem
from workers.functions.app_files import Unreadable, read_text, read_yaml, resolve
from workers.functions.authentication.accounts import AccessKey, Accounts, Issuer, TokenKey
from workers.functions.authentication.key_sets import BadKeySet, parse_key_set
from workers.functions.context import User
from workers.functions.settings import KEY_SET_BYTES
from workers.settings import seconds_of

FILE: Final = "functions/authentication.yaml"
MAX_ACCOUNTS: Final = 1_000
MIN_API_KEY_CHARACTERS: Final = 16  # 64 bits, written in hexadecimal: enough against guessing over HTTP
MAX_LEEWAY_SECONDS: Final = 300.0

_PARTS: Final = ("accessKeys", "apiKeys", "tokens")
_KEY_FIELDS: Final = ("secret", "user", "data")
_API_KEY_FIELDS: Final = ("key", "sha256", "user", "data")
_TOKEN_FIELDS: Final = ("audience", "jwksUrl", "jwksFile", "secret", "algorithms", "user", "data", "leeway")
_SOURCES: Final = ("jwksUrl", "jwksFile", "secret")
_HMAC_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}  # RFC 7518: a secret as long as the hash
_PUBLIC: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
_KEY_ID: Final = re.compile(r"\w{4,128}", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_REFERENCE: Final = re.compile(r"\$\{[^}]+\}")


def read_accounts(path: Path, app_dir: Path, env: Mapping[str, str]) -> Accounts:
    """What the file says. `${NAME}` is of `env`; `${file:path}` and `jwksFile` are relative to the app
    folder. Raises Invalid with everything that is wrong, never with a secret in it."""
    shown = path.relative_to(app_dir).as_posix() if path.is_relative_to(app_dir) else str(path)
    reader = _Reader(shown, app_dir, env, files=[path])
    try:
        found = read_yaml(path.parent, path.name)
    except FileNotFoundError:
        raise Invalid([Problem(shown, "", "there is no such file")]) from None
    except Unreadable as unreadable:
        problem = unreadable.problem
        raise Invalid([Problem(shown, problem.path, problem.found, problem.expected)]) from None
    accounts = reader.accounts(found)
    if reader.problems:
        raise Invalid(reader.problems)
    return accounts


@dataclass(slots=True)
class _Reader:
    """One reading; `problems` and `files` grow while it goes on."""

    file: str
    app_dir: Path
    env: Mapping[str, str] = field(repr=False)
    problems: list[Problem] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    def accounts(self, found: Any) -> Accounts:
        whole = self._document(found, "", _PARTS)
        parts = {name: self._entries(whole.get(name, {}), name) for name in _PARTS}
        access_keys = {name: self._access_key(name, one) for name, one in parts["accessKeys"].items()}
        api_keys: dict[str, User] = {}
        for name, one in parts["apiKeys"].items():
            digest = self._digest(one, f"apiKeys.{name}")
            if digest in api_keys:
                self._refuse(f"apiKeys.{name}", "is the same key as another one", "a key of its own")
            api_keys[digest] = self._user(one, f"apiKeys.{name}", name, "api-key")
        issuers = {name: self._issuer(name, one) for name, one in parts["tokens"].items()}
        accounts = Accounts(access_keys, api_keys, issuers, tuple(self.files))
        if accounts.is_empty and not self.problems:
            self._refuse("", "lets nobody in", f"one or more of {', '.join(_PARTS)}")
        return accounts

    def _entries(self, found: Any, part: str) -> dict[str, dict[str, Any]]:
        if not isinstance(found, dict):
            self._refuse(part, "is no document", "<name>: {...}")
            return {}
        if len(found) > MAX_ACCOUNTS:
            self._refuse(part, f"has {len(found)} entries", f"at most {MAX_ACCOUNTS}")
            return {}
        known = {"accessKeys": _KEY_FIELDS, "apiKeys": _API_KEY_FIELDS, "tokens": _TOKEN_FIELDS}[part]
        return {str(name): self._document(one, f"{part}.{name}", known) for name, one in found.items()}

    def _document(self, found: Any, path: str, known: Iterable[str]) -> dict[str, Any]:
        if not isinstance(found, dict):
            self._refuse(path, "is no document", f"fields: {', '.join(known)}")
            return {}
        for name in found:
            if name not in known:
                inside = f"{path}.{name}" if path else str(name)
                self._refuse(inside, "unknown field", f"known: {', '.join(known)}")
        return found

    def _access_key(self, name: str, found: dict[str, Any]) -> AccessKey:
        path = f"accessKeys.{name}"
        if not _KEY_ID.fullmatch(name):
            self._refuse(path, "is no access key id", "4 to 128 letters, digits and _")
        secret = self._secret(found, path, "secret")
        if secret and len(secret) < MIN_API_KEY_CHARACTERS:
            self._refuse(f"{path}.secret", "is too short", f"at least {MIN_API_KEY_CHARACTERS} characters")
        return AccessKey(secret, self._user(found, path, name, "access-key"))

    def _digest(self, found: dict[str, Any], path: str) -> str:
        """The SHA-256 of an API key, in hexadecimal digits."""
        if ("key" in found) == ("sha256" in found):
            self._refuse(path, "needs one of key and sha256", 'key: "${NAME}", or the key\'s SHA-256')
            return ""
        if "key" in found:
            key = self._secret(found, path, "key")
            if key and len(key) < MIN_API_KEY_CHARACTERS:
                self._refuse(f"{path}.key", "is too short", f"at least {MIN_API_KEY_CHARACTERS} characters")
            return sha256(key.encode()).hexdigest()
        digest = self._resolved(found["sha256"], f"{path}.sha256").lower()
        if digest and not _DIGEST.fullmatch(digest):
            self._refuse(f"{path}.sha256", "is no SHA-256", "64 hexadecimal digits in quotes")
        return digest

    def _user(self, found: dict[str, Any], path: str, name: str, kind: str) -> User:
        user_id, data = found.get("user", name), found.get("data", {})
        if not isinstance(user_id, str) or not 0 < len(user_id) <= 256:
            self._refuse(f"{path}.user", "is no user id", "a text of at most 256 characters")
            user_id = name
        if not isinstance(data, dict):
            self._refuse(f"{path}.data", "is no document", "context.user.data of this user")
            data = {}
        return User(user_id, "server", data, identities=({"id": name, "provider_type": kind},))

    def _issuer(self, name: str, found: dict[str, Any]) -> Issuer:
        path = f"tokens.{name}"
        sources = [source for source in _SOURCES if source in found]
        if len(sources) != 1:
            self._refuse(path, f"needs one of {', '.join(_SOURCES)}", "where the keys of this issuer are")
        shared = sources == ["secret"]
        algorithms = self._texts(
            found.get("algorithms", ["HS256" if shared else "RS256"]), f"{path}.algorithms"
        )
        known = tuple(_HMAC_BYTES) if shared else _PUBLIC
        for one in algorithms:
            if one not in known:
                self._refuse(f"{path}.algorithms", f"{one[:20]!r} cannot be here", ", ".join(known))
        user_claim = found.get("user", "sub")
        if not isinstance(user_claim, str) or not user_claim:
            self._refuse(f"{path}.user", "is no claim", "the name of the claim that is the user's id")
        if "audience" not in found:
            self._refuse(f"{path}.audience", "is missing", "for whom tokens must be made: a text or a list")
        return Issuer(
            name=name,
            audiences=self._texts(found.get("audience", "?"), f"{path}.audience"),
            algorithms=algorithms,
            keys=self._token_keys(found, path, algorithms) if sources and sources != ["jwksUrl"] else (),
            url=self._url(found["jwksUrl"], f"{path}.jwksUrl") if "jwksUrl" in found else "",
            user_claim=str(user_claim),
            data=self._claims(found.get("data"), f"{path}.data"),
            leeway_seconds=self._leeway(found.get("leeway", "30s"), f"{path}.leeway"),
        )

    def _token_keys(
        self, found: dict[str, Any], path: str, algorithms: Iterable[str]
    ) -> tuple[TokenKey, ...]:
        if "secret" in found:
            secret = self._secret(found, path, "secret").encode()
            needed = max((_HMAC_BYTES.get(one, 0) for one in algorithms), default=0)
            if secret and len(secret) < needed:
                self._refuse(
                    f"{path}.secret", f"has {len(secret)} bytes", f"at least {needed} for the algorithm"
                )
            return (TokenKey(secret),)
        place = self._resolved(found["jwksFile"], f"{path}.jwksFile")
        if not place:
            return ()
        self.files.append(self.app_dir / place)
        try:
            return parse_key_set(read_text(self.app_dir / place, place, KEY_SET_BYTES))
        except FileNotFoundError:
            self._refuse(f"{path}.jwksFile", f"there is no file {place}")
        except Unreadable as unreadable:
            self._refuse(f"{path}.jwksFile", f"{place} {unreadable.problem.found}")
        except BadKeySet as problem:
            self._refuse(f"{path}.jwksFile", f"{place} {problem}", "a JSON Web Key Set with public keys")
        return ()

    def _url(self, found: Any, path: str) -> str:
        url = self._resolved(found, path)
        try:
            parts = urlsplit(url)
            plain = parts.scheme == "http" and is_loopback(parts.hostname or "")
            good = bool(parts.hostname) and not parts.username and (parts.scheme == "https" or plain)
        except ValueError:
            good = False
        if url and not good:
            self._refuse(path, "is no such URL", "https://..., or http:// on this machine")
        return url

    def _claims(self, found: Any, path: str) -> Mapping[str, str] | None:
        if found is None:
            return None
        if not isinstance(found, dict) or not all(isinstance(one, str) and one for one in found.values()):
            self._refuse(path, "is no document of claims", "<field of context.user.data>: <claim>")
            return None
        return found

    def _leeway(self, found: Any, path: str) -> float:
        try:
            seconds = seconds_of(found)
        except ValueError as problem:
            self._refuse(path, "is no such number", str(problem))
            return 0.0
        if not 0 <= seconds <= MAX_LEEWAY_SECONDS:
            self._refuse(path, f"found {seconds:g} seconds", f"0 to {MAX_LEEWAY_SECONDS:g}")
        return seconds

    def _texts(self, found: Any, path: str) -> tuple[str, ...]:
        texts = [found] if isinstance(found, str) else found
        if not isinstance(texts, list) or not texts or not all(isinstance(one, str) and one for one in texts):
            self._refuse(path, "is no text and no list of texts", "one or more texts")
            return ("?",)
        return tuple(self._resolved(one, path) for one in texts)

    def _secret(self, found: dict[str, Any], path: str, name: str) -> str:
        """A secret, which is never written into the file itself."""
        text = found.get(name)
        inside = f"{path}.{name}"
        if not isinstance(text, str) or not _REFERENCE.fullmatch(text):
            self._refuse(
                inside, "is missing" if text is None else "is no reference", '"${NAME}" or "${file:path}"'
            )
            return ""
        secret = self._resolved(text, inside)
        if not secret and not any(problem.path == inside for problem in self.problems):
            self._refuse(inside, "is empty", "set the variable, or fill the file")
        return secret

    def _resolved(self, text: Any, path: str) -> str:
        if not isinstance(text, str):
            self._refuse(path, "is no text", "a text in quotes")
            return ""
        if text.startswith("${file:"):
            self.files.append(self.app_dir / text.removeprefix("${file:").removesuffix("}"))
        try:
            return resolve(text, self.app_dir, self.env, self.file, path)
        except Unreadable as unreadable:
            self.problems.append(unreadable.problem)
            return ""

    def _refuse(self, path: str, found: str, expected: str = "") -> None:
        self.problems.append(Problem(self.file, path, found, expected))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address; a name other than `localhost` could be anything."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
