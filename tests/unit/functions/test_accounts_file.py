"""`functions/authentication.yaml`: what it may say, and how what is wrong with it is told."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.fakes.callers import (
    ACCOUNTS,
    API_KEY,
    ENV,
    ISSUER,
    TokenIssuer,
    key_set,
    rsa_issuer,
    write_accounts,
)
from tests.fakes.lambda_client import KEYS
from workers.errors import Invalid
from workers.functions.authentication.accounts import Accounts
from workers.functions.authentication.accounts_file import FILE, is_loopback, read_accounts

FIRST = TokenIssuer()
TOKENS = "tokens: {https://i.example/: {audience: a, "


def read(folder: Path, text: str) -> Accounts:
    """The accounts that a text describes."""
    return read_accounts(write_accounts(folder, FIRST, text), folder, ENV)


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong with it; never with a secret in it."""
    with pytest.raises(Invalid) as caught:
        read(folder, text)
    said = str(caught.value)
    assert not any(secret in said for secret in ENV.values())
    return [str(problem).removeprefix(f"{FILE}: ") for problem in caught.value.problems]


def test_keys_and_issuers_are_read_with_their_users(tmp_path: Path) -> None:
    """Secrets by reference; keys are known by their hash alone; no repr shows one."""
    accounts = read(tmp_path, ACCOUNTS)
    key = accounts.access_keys[KEYS.access_key_id]
    assert (key.secret, key.user.id, key.user.type, key.user.data) == (
        KEYS.secret_access_key, "worker", "server", {"role": "support"},
    )  # fmt: skip
    assert [user.id for user in accounts.api_keys.values()] == ["ci"]
    assert list(accounts.api_keys) == [hashlib.sha256(API_KEY.encode()).hexdigest()]
    issuer = accounts.issuers[ISSUER]
    assert (issuer.audiences, issuer.algorithms, issuer.leeway_seconds) == (
        ("penstock",),
        ("RS256", "ES256"),
        30,
    )
    assert [one.kid for one in issuer.keys] == ["first"]
    assert accounts.files == (tmp_path / FILE, tmp_path / "keys.json")
    assert not any(secret in repr(accounts) for secret in ENV.values())


def test_every_field_has_its_default_and_its_meaning(tmp_path: Path) -> None:
    """A hash instead of a key, a secret of a file, claims, lists."""
    (tmp_path / "shared.txt").write_text("s" * 64 + "\n")
    digest = hashlib.sha256(b"k").hexdigest()
    accounts = read(
        tmp_path,
        f"""\
apiKeys: {{partner: {{sha256: "{digest.upper()}", user: p, data: {{a: 1}}}}}}
tokens:
  one: {{audience: [a, b], secret: "${{file:shared.txt}}", algorithms: [HS512], user: email, leeway: 2m}}
  two: {{audience: a, jwksUrl: "https://i.example/jwks", data: {{role: r.0}}}}
""",
    )
    assert accounts.api_keys[digest].data == {"a": 1}
    one, two = accounts.issuers["one"], accounts.issuers["two"]
    assert (one.audiences, one.algorithms, one.user_claim, one.leeway_seconds) == (
        ("a", "b"),
        ("HS512",),
        "email",
        120,
    )
    assert one.keys[0].material == b"s" * 64
    assert (two.url, two.algorithms, two.data, two.keys) == (
        "https://i.example/jwks",
        ("RS256",),
        {"role": "r.0"},
        (),
    )
    assert tmp_path / "shared.txt" in accounts.files


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no document; fields: accessKeys, apiKeys, tokens"),
        ("{}", "lets nobody in; one or more of accessKeys, apiKeys, tokens"),
        ("keys: {}", "keys: unknown field; known: accessKeys, apiKeys, tokens"),
        ("apiKeys: [1]", "apiKeys: is no document; <name>: {...}"),
        ("apiKeys: {ci: {}}", "apiKeys.ci: needs one of key and sha256"),
        ("apiKeys: {ci: {key: '${CI_KEY}', sha256: a}}", "apiKeys.ci: needs one of key and sha256"),
        ("apiKeys: {ci: {sha256: abc}}", "apiKeys.ci.sha256: is no SHA-256; 64 hexadecimal digits in quotes"),
        ("apiKeys: {ci: {key: written-out-key-0000}}", 'apiKeys.ci.key: is no reference; "${NAME}" or'),
        ("apiKeys: {ci: {key: '${NOT_SET}'}}", "apiKeys.ci.key: the environment variable NOT_SET is not set"),
        ("apiKeys: {ci: {key: '${X:-short}'}}", "apiKeys.ci.key: is too short; at least 16 characters"),
        (
            "apiKeys: {ci: {key: '${file:empty}'}}",
            "apiKeys.ci.key: is empty; set the variable, or fill the file",
        ),
        (
            "apiKeys: {a: {key: '${CI_KEY}'}, b: {key: '${CI_KEY}'}}",
            "apiKeys.b: is the same key as another one",
        ),
        ("apiKeys: {ci: {key: '${CI_KEY}', user: 5}}", "apiKeys.ci.user: is no user id"),
        ("apiKeys: {ci: {key: '${CI_KEY}', data: x}}", "apiKeys.ci.data: is no document"),
        ("apiKeys: {ci: {key: '${CI_KEY}', role: x}}", "apiKeys.ci.role: unknown field; known: key, sha256"),
        ("accessKeys: {AKID-1: {secret: '${CI_KEY}'}}", "accessKeys.AKID-1: is no access key id"),
        ("accessKeys: {AKID: {}}", "accessKeys.AKID.secret: is missing"),
        (TOKENS + "}}", "tokens.https://i.example/: needs one of jwksUrl, jwksFile, secret"),
        (TOKENS + "jwksFile: keys.json, secret: '${CI_KEY}'}}", "needs one of jwksUrl, jwksFile, secret"),
        (TOKENS + "jwksFile: none.json}}", "jwksFile: there is no file none.json"),
        (
            TOKENS + "jwksFile: functions/authentication.yaml}}",
            "jwksFile: functions/authentication.yaml is no JSON",
        ),
        (
            TOKENS + "jwksFile: keys.json, algorithms: [HS256]}}",
            "algorithms: 'HS256' cannot be here; RS256, RS384",
        ),
        (TOKENS + "jwksFile: keys.json, algorithms: none}}", "algorithms: 'none' cannot be here"),
        (
            TOKENS + "secret: '${X:-0123456789abcdef}'}}",
            "secret: has 16 bytes; at least 32 for the algorithm",
        ),
        (
            TOKENS + "jwksUrl: 'http://i.example/'}}",
            "jwksUrl: is no such URL; https://..., or http:// on this",
        ),
        (TOKENS + "jwksFile: keys.json, leeway: 6m}}", "leeway: found 360 seconds; 0 to 300"),
        (TOKENS + "jwksFile: keys.json, data: [a]}}", "data: is no document of claims"),
        (TOKENS + "jwksFile: keys.json, user: ''}}", "user: is no claim"),
        ("tokens: {i: {jwksFile: keys.json}}", "tokens.i.audience: is missing; for whom tokens must be made"),
        (
            "tokens: {i: {audience: [], jwksFile: keys.json}}",
            "tokens.i.audience: is no text and no list of texts",
        ),
        ("a: [", ""),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    """Where, what was found, what would be right."""
    (tmp_path / "empty").write_text("\n")
    assert any(said in one for one in problems(tmp_path, text))


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    """Not one after the other, a start each."""
    found = problems(tmp_path, "apiKeys: {a: {}, b: {key: x}}\ntokens: {i: {}}\nmore: 1")
    assert len(found) == 5


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """One outside of the app folder by its whole path."""
    with pytest.raises(Invalid, match=r"/accounts\.yaml: there is no such file"):
        read_accounts(tmp_path / "accounts.yaml", tmp_path / "app", {})


def test_a_set_without_a_usable_key_is_refused(tmp_path: Path) -> None:
    """RSA of 1,024 bits alone."""
    path = write_accounts(tmp_path, FIRST)
    (tmp_path / "keys.json").write_text(key_set(rsa_issuer(1_024)))
    with pytest.raises(Invalid, match=r"keys\.json has no key to check signatures with"):
        read_accounts(path, tmp_path, ENV)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("LOCALHOST", True), ("0.0.0.0", False),
     ("::", False), ("10.0.0.1", False), ("", False), ("localhost.example.com", False), ("hostname", False)],
)  # fmt: skip
def test_only_addresses_of_this_machine_are_loopback(host: str, expected: bool) -> None:
    """A name could be anything."""
    assert is_loopback(host) is expected
