"""`BSON`, `EJSON`, `utils` and `context` of a JavaScript function, and how values cross, in a real worker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.function_host import embedded_host, write_functions
from workers.functions import HostSettings

OID = "5e58667d902d38559c802b13"
BASE64 = "VGVzdCBtZXNzYWdlIHBsZWFzZSBpZ25vcmU="
JWT = (  # the example of App Services' documentation
    "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvZSBTY2htb2UiLCJpYXQiOjE1NjU3"
    "MjEyMjMxODd9.-QL15ldu2BYuJokNWT6YRiwZQIiIpvq6Kyv-C6qslNdNiUVxo8zqLJZ1iEkNf2yZKMIrQuMCtIC1tzd2H31AxA"
)

VALUES: dict[str, tuple[str, Any]] = {
    # expression: what the caller reads
    "object ids": (f"[BSON.ObjectId('{OID}'), new BSON.ObjectId().toString().length]", [{"$oid": OID}, 24]),
    "dates": (
        "[new Date(5), new Date(NaN), new Date(-1)]",
        [{"$date": "1970-01-01T00:00:00.005Z"}, None, {"$date": {"$numberLong": "-1"}}],
    ),
    "longs": (
        "[BSON.Long(600206158, 342), BSON.Long.fromString('9007199254740993').add(1), BSON.Long(7) + 1]",
        [{"$numberLong": "1469479021390"}, {"$numberLong": "9007199254740994"}, 8],
    ),
    "numbers": (
        "[BSON.Int32(4), BSON.Double(3), BSON.Double(2.5), NaN, -Infinity, null, BSON.Double()]",
        [
            4,
            {"$numberDouble": "3.0"},
            2.5,
            {"$numberDouble": "NaN"},
            {"$numberDouble": "-Infinity"},
            None,
            {"$numberDouble": "0.0"},
        ],
    ),
    "decimals": ("BSON.Decimal128.fromString('1.10')", {"$numberDecimal": "1.10"}),
    "keys": ("[BSON.MaxKey, BSON.MinKey, BSON.MaxKey()]", [{"$maxKey": 1}, {"$minKey": 1}, {"$maxKey": 1}]),
    "patterns": (
        "[/a/gi, BSON.BSONRegExp('the great', 'ig')]",
        [
            {"$regularExpression": {"pattern": "a", "options": "i"}},
            {"$regularExpression": {"pattern": "the great", "options": "gi"}},
        ],
    ),
    "bytes": (f"BSON.Binary.fromBase64('{BASE64}').text()", "Test message please ignore"),
    "hex": ("BSON.Binary.fromHex('54657374').toHex() + BSON.Binary.fromHex('c3a9').text()", "54657374é"),
    "uuid": (
        "BSON.UUID('3b241101-e2bb-4255-8caf-4136c566a962').toString()",
        "3b241101-e2bb-4255-8caf-4136c566a962",
    ),
    "their JSON": (
        f"JSON.stringify([BSON.ObjectId('{OID}'), new Date(0), /a/])",
        f'["{OID}","1970-01-01T00:00:00.000Z",{{}}]',
    ),
    "EJSON text": (
        "EJSON.stringify({answer: 42, at: new Date(1583167607977), pi: 3.5})",
        '{"answer":{"$numberLong":"42"},"at":{"$date":{"$numberLong":"1583167607977"}},'
        '"pi":{"$numberDouble":"3.5"}}',
    ),
    "relaxed EJSON text": (
        "EJSON.stringify({a: 1, b: BSON.Long(2)}, {relaxed: true})",
        '{"a":1,"b":{"$numberLong":"2"}}',
    ),
    "EJSON parsed": (
        """EJSON.parse('{"a": {"$numberLong": "42"}, "b": {"$oid": "no"}}')""",
        {"a": {"$numberLong": "42"}, "b": {"$oid": "no"}},
    ),
    "hash": (
        "utils.crypto.hash('sha256', 'hello!').toBase64()",
        "zgYJL7lI2f+sfRo3bkBLJrdXW8wR7gWkYV/vT+w6MIs=",
    ),
    "hash of bytes": (
        "utils.crypto.hash('md5', BSON.Binary.fromHex('00')).toHex()",
        "93b885adfe0da089cdf634904fd59f71",
    ),
    "hmac": (
        "utils.crypto.hmac('hello!', 'super-secret', 'sha256', 'base64')",
        "SUXd6PRMaTXXgBGaGsIHzaDWgTSa6C3D44lRGrvRak0=",
    ),
    "jwt": (
        "utils.jwt.encode('HS512', {sub: '1234567890', name: 'Joe Schmoe', iat: 1565721223187}, "
        "'SuperSecret')",
        JWT,
    ),
    "jwt read": (
        f"utils.jwt.decode('{JWT}', 'SuperSecret', true, ['HS512']).header",
        {"alg": "HS512", "typ": "JWT"},
    ),
    "aes": (
        "['0123456789abcdef'].map((k) => utils.crypto.decrypt('aes', "
        "utils.crypto.encrypt('aes', 'hé', k), k).text())",
        ["hé"],
    ),
    "base64 texts": ("[btoa('a'), atob('YQ==')]", ["YQ==", "a"]),
    "no user": (
        "[context.user, context.runningAsSystem(), context.values.get('nothing'), context.environment]",
        [None, False, None, {"tag": "", "values": {}}],
    ),
    "prototypes": (
        """[EJSON.parse('{"__proto__": {"polluted": 1}}'), {}.polluted]""",
        [{"__proto__": {"polluted": 1}}, None],
    ),
}

REFUSED = {
    "a value that holds itself": (
        "(() => { const a = {}; a.a = a; return EJSON.stringify(a) })()",
        "holds itself",
    ),
    "no object id": ("BSON.ObjectId('xyz')", '"xyz" is neither 24 hexadecimal digits nor 12 bytes'),
    "too long a number": ("BSON.Long.fromString('9'.repeat(20))", "does not fit into 64 bits"),
    "no decimal": ("BSON.Decimal128.fromString('1,5')", "is no decimal number of at most 34 digits"),
    "no padding": ("BSON.Binary.fromBase64('YQ')", "no base64 text with its padding"),
    "no hash": ("utils.crypto.hash('sha3', 'x')", "'sha3' is none of sha1, sha256, md5"),
    "another key": (f"utils.jwt.decode('{JWT}', 'other')", "the signature is not that of this key"),
    "another method": (
        f"utils.jwt.decode('{JWT}', 'SuperSecret', false, ['RS256'])",
        "'HS512' is not accepted",
    ),
    "an expired token": (
        "utils.jwt.decode(utils.jwt.encode('HS256', {exp: 1}, 'k'), 'k')",
        "the token has expired",
    ),
    "a token without signature": (
        "utils.jwt.decode('eyJhbGciOiJub25lIn0.e30.', 'k')",
        "'none' is not accepted",
    ),
    "a public key as secret": (
        "utils.jwt.decode(utils.jwt.encode('HS256', {}, '-----BEGIN'), '-----BEGIN')",
        "not checked with a public key",
    ),
    "a service": ("context.services.get('mongodb-atlas')", 'context.services.get("mongodb-atlas")'),
    "npm": ("require('axios')", "npm packages and Node's modules are not there"),
    "a file": ("require('./utils/add.js')", 'context.functions.execute("utils/add", ...)'),
}


async def test_values_cross_with_their_types(tmp_path: Path) -> None:
    """Each expression, in one function, gives what App Services' documentation says, as Extended JSON."""
    body = ",".join(f"{json.dumps(name)}: () => ({source})" for name, (source, _) in VALUES.items())
    write_functions(tmp_path, {"f.js": f"const all = {{{body}}}; exports = (name) => all[name]();"})
    async with embedded_host(tmp_path, HostSettings(concurrency=1)) as host:
        found = {name: (await host.call("f", name)).json() for name in VALUES}
    assert found == {name: expected for name, (_, expected) in VALUES.items()}


async def test_what_cannot_be_says_so(tmp_path: Path) -> None:
    """A wrong value, key, token or module is an error that names what was found."""
    body = ",".join(f"{json.dumps(name)}: () => ({source})" for name, (source, _) in REFUSED.items())
    write_functions(tmp_path, {"f.js": f"const all = {{{body}}}; exports = (name) => all[name]();"})
    async with embedded_host(tmp_path, HostSettings(concurrency=1)) as host:
        found = {name: (await host.call("f", name)).json()["errorMessage"] for name in REFUSED}
    assert [name for name, (_, text) in REFUSED.items() if text not in found[name]] == []


@pytest.mark.parametrize(
    "event",
    [
        {"$oid": OID},
        [{"$date": "2020-03-02T16:46:47.977Z"}, {"$date": {"$numberLong": "-5"}}],
        {"$numberDecimal": "1.10"},
        {"deep": [{"$binary": {"base64": "AAEC", "subType": "80"}}, {"$uuid": "no uuid"}]},
        {"$timestamp": {"t": 1, "i": 2}},
        {"$numberDouble": "NaN"},
        {"$minKey": 1, "and": "more"},
        {"$ref": "c", "$id": {"$oid": OID}},
        {"$oid": "short"},
        {"__proto__": {"$oid": OID}, "constructor": 1, "$unknown": [{}]},
        {"$numberLong": "9007199254740993"},
    ],
)
async def test_what_goes_in_comes_out(tmp_path: Path, event: Any) -> None:
    """A document that a function passes on keeps every type; what only looks like a type stays as it is."""
    write_functions(tmp_path, {"f.js": "exports = (event) => event"})
    async with embedded_host(tmp_path) as host:
        assert (await host.call("f", event)).json() == event


async def test_integers_beyond_two_to_the_53_stay_exact(tmp_path: Path) -> None:
    """They are BSON.Long in `exports = function`; a handler of Lambda's kind gets JavaScript numbers."""
    write_functions(
        tmp_path,
        {"f.js": "exports = (n) => [n, n instanceof BSON.Long]", "h.js": "exports.handler = (n) => typeof n"},
    )
    async with embedded_host(tmp_path) as host:
        assert (await host.call("f", 2**53 + 1)).json() == [{"$numberLong": "9007199254740993"}, True]
        assert (await host.call("f", 2**53 - 1)).json() == [2**53 - 1, False]
        assert (await host.call("h", 2**53 + 1)).json() == "number"


async def test_a_lambda_handler_speaks_plain_json(tmp_path: Path) -> None:
    """`exports.handler` sees the wrappers as objects, and its dates are texts, as on Lambda."""
    write_functions(tmp_path, {"h.js": "exports.handler = (event) => [event, new Date(0)]"})
    async with embedded_host(tmp_path) as host:
        answer = await host.call("h", {"$oid": OID})
    assert answer.json() == [{"$oid": OID}, "1970-01-01T00:00:00.000Z"]


async def test_a_python_function_has_the_apps_context(tmp_path: Path) -> None:
    """Values as copies, the environment, other functions and their errors, dates and BSON types going out."""
    values = tmp_path / "values"
    values.mkdir()
    (values / "rates.json").write_text('{"name": "rates", "value": {"DE": 19}}')
    source = (
        "from datetime import UTC, datetime\nfrom bson import ObjectId\n"
        "def handler(event, context):\n"
        "    context.values.get('rates')['DE'] = 0\n"
        "    try: context.functions.execute('fails', 1)\n"
        "    except Exception as problem: text = f'{type(problem).__name__} {problem.error_type} {problem}'\n"
        "    return [context.values.get('rates'), context.values.get('no', 7), context.environment.tag,\n"
        "            context.user, context.running_as_system(), context.request['httpMethod'],\n"
        "            context.functions.execute('sum', 2, 3), text, datetime(2026, 1, 2, tzinfo=UTC),\n"
        f"            ObjectId('{OID}')]\n"
    )
    helpers = {
        "sum.js": "exports = (a, b) => a + b",
        "fails.js": "exports = () => { throw new TypeError('no') }",
    }
    write_functions(tmp_path, {"f.py": source, **helpers})
    async with embedded_host(tmp_path, HostSettings(memory_bytes=256 << 20)) as host:
        answer = await host.call("f")
    assert answer.json() == [
        {"DE": 19}, 7, "", None, False, "POST", 5, "HostCallFailed TypeError TypeError: no",
        {"$date": "2026-01-02T00:00:00.000Z"}, {"$oid": OID},
    ]  # fmt: skip
