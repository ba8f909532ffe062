// BSON and EJSON as functions see them, and how values cross between the host's Extended JSON and JavaScript.
// Evaluated once, before the bridge; `random` gives hexadecimal digits of the system's generator.
//
// What an instance's toJSON answers depends on who asks: the function's own JSON.stringify sees what it would see
// elsewhere (an ObjectId is its 24 digits, a date its ISO text), the bridge and EJSON see the Extended JSON. The native
// JSON.stringify calls toJSON by itself, so a result without such values costs nothing more than plain JSON.
(function penstockTypes(random) {
  "use strict";
  const { parse, stringify } = JSON;
  const { isArray } = Array;
  const { defineProperty, keys } = Object;
  const apply = Reflect.apply;
  const DateHere = Date, RegExpHere = RegExp, NumberHere = Number, StringHere = String, BigIntHere = BigInt, SetHere = Set;
  const Bytes = Uint8Array, TypeErrorHere = TypeError, RangeErrorHere = RangeError;
  const isInteger = Number.isInteger, isSafe = Number.isSafeInteger, isFinite = Number.isFinite;
  const toISOString = Date.prototype.toISOString, plainDate = Date.prototype.toJSON, getTime = Date.prototype.getTime;
  const asIntN = BigInt.asIntN, is = Object.is, replaceAll = String.prototype.replaceAll;

  const PLAIN = 0, RELAXED = 1, CANONICAL = 2;
  let mode = PLAIN;

  const hide = (object, name, value) => defineProperty(object, name, { value, writable: true, configurable: true });
  const keep = (object, name, value) => defineProperty(object, name, { value, enumerable: false });

  // --- the types. Each can be made with and without `new`, as App Services' own examples do.

  function ObjectId(id) {
    if (!new.target) return new ObjectId(id);
    let text = id;
    if (text === undefined || text === null) text = seconds() + machine + nextCount();
    else if (text instanceof ObjectId) text = text.toHexString();
    else if (text instanceof Bytes && text.length === 12) text = text.toHex();
    else if (typeof text === "number") text = (text >>> 0).toString(16).padStart(8, "0") + machine + nextCount();
    else if (typeof text === "string" && text.length === 12 && !/[^\0-\xff]/.test(text)) text = latin1(text).toHex();
    if (typeof text !== "string" || !/^[0-9a-f]{24}$/i.test(text)) {
      throw new TypeErrorHere("BSON.ObjectId: " + show(id) + " is neither 24 hexadecimal digits nor 12 bytes");
    }
    keep(this, "_hex", text.toLowerCase());
  }
  const machine = random(5);
  let count = parseInt(random(3), 16);
  const seconds = () => Math.floor(DateHere.now() / 1000).toString(16).padStart(8, "0");
  const nextCount = () => (count = (count + 1) & 0xffffff).toString(16).padStart(6, "0");
  methods(ObjectId, "ObjectId", {
    toHexString() { return this._hex; },
    toString() { return this._hex; },
    equals(other) { return other !== null && other !== undefined && StringHere(other._hex ?? other).toLowerCase() === this._hex; },
    getTimestamp() { return new DateHere(parseInt(this._hex.slice(0, 8), 16) * 1000); },
    toJSON() { return mode === PLAIN ? this._hex : { $oid: this._hex }; },
  });
  ObjectId.createFromHexString = (text) => new ObjectId(text);
  ObjectId.isValid = (id) => { try { return !!new ObjectId(id); } catch (_) { return false; } };

  function Binary(data, subType = 0) {
    if (!new.target) return new Binary(data, subType);
    const bytes = data === undefined ? new Bytes(0) : typeof data === "string" ? encode(data) : new Bytes(data);
    if (!isInteger(subType) || subType < 0 || subType > 255) {
      throw new RangeErrorHere("BSON.Binary: the subtype is a number from 0 to 255, this is " + show(subType));
    }
    keep(this, "buffer", bytes);
    keep(this, "sub_type", subType);
  }
  methods(Binary, "Binary", {
    toHex() { return this.buffer.toHex(); },
    toHexString() { return this.buffer.toHex(); },
    toBase64() { return this.buffer.toBase64(); },
    toString(encoding) { return encoding === "hex" ? this.toHex() : encoding === "base64" ? this.toBase64() : this.text(); },
    text() { return decode(this.buffer); },
    value() { return this.buffer; },
    length() { return this.buffer.length; },
    equals(other) { return other instanceof Binary && other.sub_type === this.sub_type && other.toHex() === this.toHex(); },
    toJSON() {
      if (mode === PLAIN) return this.toBase64();
      return { $binary: { base64: this.toBase64(), subType: this.sub_type.toString(16).padStart(2, "0") } };
    },
  });
  Binary.fromHex = (text, subType) => {
    const digits = StringHere(text).replace(/=+$/, "");  // the documentation's own example ends with one
    if (digits.length % 2 || /[^0-9a-f]/i.test(digits)) throw new TypeErrorHere("BSON.Binary.fromHex: no pairs of hexadecimal digits");
    return new Binary(Bytes.fromHex(digits), subType);
  };
  Binary.fromBase64 = (text, subType) => {
    try {
      return new Binary(Bytes.fromBase64(StringHere(text), { lastChunkHandling: "strict" }), subType);
    } catch (_) {
      throw new TypeErrorHere("BSON.Binary.fromBase64: no base64 text with its padding");
    }
  };

  function UUID(text) {
    if (!new.target) return new UUID(text);
    let digits = text;
    if (text === undefined) {
      const made = Bytes.fromHex(random(16));
      made[6] = (made[6] & 0x0f) | 0x40;
      made[8] = (made[8] & 0x3f) | 0x80;
      digits = made.toHex();
    } else if (text instanceof Binary) digits = text.toHex();
    digits = apply(replaceAll, StringHere(digits), ["-", ""]);
    if (!/^[0-9a-f]{32}$/i.test(digits)) throw new TypeErrorHere("BSON.UUID: " + show(text) + " is no UUID");
    keep(this, "buffer", Bytes.fromHex(digits));
    keep(this, "sub_type", 4);
  }
  UUID.prototype = Object.create(Binary.prototype);
  methods(UUID, "UUID", {
    toHexString() { return this.buffer.toHex().replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"); },
    toString() { return this.toHexString(); },
    toJSON() {
      if (mode === PLAIN) return this.toHexString();
      return { $binary: { base64: this.toBase64(), subType: "04" } };
    },
  });

  function Long(low = 0, high = 0) {
    if (!new.target) return new Long(low, high);
    keep(this, "_value", typeof low === "bigint" ? asIntN(64, low) : asIntN(64, (BigIntHere(high | 0) << 32n) | BigIntHere(low >>> 0)));
  }
  const long = (value) => {
    if (value instanceof Long) return value;
    if (typeof value === "number") value = isFinite(value) ? Math.trunc(value) : 0;
    else if (value instanceof Int32) value = value.value;
    const number = BigIntHere(value);
    if (asIntN(64, number) !== number) throw new RangeErrorHere("BSON.Long: " + show(StringHere(value)) + " does not fit into 64 bits");
    return new Long(number);
  };
  const arithmetic = (work) => function (other) { return new Long(work(this._value, long(other)._value)); };
  const comparison = (work) => function (other) { return work(this._value, long(other)._value); };
  const compare = comparison((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  methods(Long, "Long", {
    toNumber() { return NumberHere(this._value); },
    toInt() { return NumberHere(asIntN(32, this._value)); },
    toBigInt() { return this._value; },
    toString(radix) { return this._value.toString(radix); },
    valueOf() { return NumberHere(this._value); },
    add: arithmetic((a, b) => a + b),
    subtract: arithmetic((a, b) => a - b), sub: arithmetic((a, b) => a - b),
    multiply: arithmetic((a, b) => a * b), mul: arithmetic((a, b) => a * b),
    divide: arithmetic((a, b) => a / b), div: arithmetic((a, b) => a / b),
    modulo: arithmetic((a, b) => a % b), mod: arithmetic((a, b) => a % b),
    negate() { return new Long(-this._value); },
    compare, comp: compare,
    equals: comparison((a, b) => a === b), eq: comparison((a, b) => a === b),
    lessThan: comparison((a, b) => a < b), lt: comparison((a, b) => a < b),
    lessThanOrEqual: comparison((a, b) => a <= b), lte: comparison((a, b) => a <= b),
    greaterThan: comparison((a, b) => a > b), gt: comparison((a, b) => a > b),
    greaterThanOrEqual: comparison((a, b) => a >= b), gte: comparison((a, b) => a >= b),
    isZero() { return this._value === 0n; },
    isNegative() { return this._value < 0n; },
    toJSON() { return mode === PLAIN && isSafe(NumberHere(this._value)) ? NumberHere(this._value) : { $numberLong: StringHere(this._value) }; },
  });
  Long.fromNumber = Long.fromInt = Long.fromString = Long.fromBigInt = Long.fromValue = long;
  Long.isLong = (value) => value instanceof Long;
  Long.MAX_VALUE = new Long(2n ** 63n - 1n);
  Long.MIN_VALUE = new Long(-(2n ** 63n));
  Long.ZERO = new Long(0n);
  Long.ONE = new Long(1n);

  function Int32(value = 0) {
    if (!new.target) return new Int32(value);
    keep(this, "value", NumberHere(value) | 0);
  }
  methods(Int32, "Int32", {
    valueOf() { return this.value; },
    toString(radix) { return this.value.toString(radix); },
    toJSON() { return mode === CANONICAL ? { $numberInt: StringHere(this.value) } : this.value; },
  });

  function Double(value = 0) {
    if (!new.target) return new Double(value);
    keep(this, "value", +value);
  }
  methods(Double, "Double", {
    valueOf() { return this.value; },
    toString(radix) { return this.value.toString(radix); },
    toJSON() { return mode === PLAIN || (mode === RELAXED && isFinite(this.value) && !isInteger(this.value)) ? this.value : double(this.value); },
  });
  // A whole double is marked, or it would arrive as an integer.
  const double = (value) => ({ $numberDouble: is(value, -0) ? "-0.0" : isInteger(value) && Math.abs(value) < 1e21 ? value.toFixed(1) : StringHere(value) });

  const DECIMAL = /^[+-]?(?:(\d+\.?\d*|\.\d+)(?:e([+-]?\d{1,5}))?|inf(?:inity)?|nan)$/i;
  function Decimal128(text) {
    if (!new.target) return new Decimal128(text);
    const given = text instanceof Decimal128 ? text._text : StringHere(text);
    const found = DECIMAL.exec(given);
    const digits = found && found[1] ? found[1].replace(".", "").replace(/^0+|0+$/g, "") : "";
    if (!found || digits.length > 34) throw new TypeErrorHere("BSON.Decimal128: " + show(given) + " is no decimal number of at most 34 digits");
    keep(this, "_text", given);
  }
  methods(Decimal128, "Decimal128", {
    toString() { return this._text; },
    valueOf() { return NumberHere(this._text); },
    toJSON() { return { $numberDecimal: this._text }; },
  });
  Decimal128.fromString = (text) => new Decimal128(text);

  function BSONRegExp(pattern = "", options = "") {
    if (!new.target) return new BSONRegExp(pattern, options);
    if (pattern.includes("\0") || options.includes("\0")) throw new TypeErrorHere("BSON.BSONRegExp: a NUL character");
    this.pattern = StringHere(pattern);
    this.options = [...StringHere(options)].sort().join("");
  }
  methods(BSONRegExp, "BSONRegExp", {
    toJSON() { return { $regularExpression: { pattern: this.pattern, options: this.options } }; },
    toString() { return "/" + this.pattern + "/" + this.options; },
  });

  function Timestamp(t = 0, i = 0) {
    if (!new.target) return new Timestamp(t, i);
    if (t !== null && typeof t === "object") ({ t, i } = t);
    this.t = t >>> 0;
    this.i = i >>> 0;
  }
  methods(Timestamp, "Timestamp", { toJSON() { return { $timestamp: { t: this.t, i: this.i } }; } });

  // `BSON.MaxKey` is itself the value in App Services' examples, and `BSON.MaxKey()` makes one elsewhere.
  function MinKey() { return new.target ? undefined : new MinKey(); }
  function MaxKey() { return new.target ? undefined : new MaxKey(); }
  for (const [Key, name] of [[MinKey, "$minKey"], [MaxKey, "$maxKey"]]) {
    const toJSON = () => ({ [name]: 1 });
    methods(Key, Key.name, { toJSON });
    hide(Key, "toJSON", toJSON);
  }

  function methods(Type, name, added) {
    hide(Type, "name", name);
    hide(Type.prototype, "constructor", Type);
    hide(Type.prototype, "_bsontype", name);
    for (const key of keys(added)) hide(Type.prototype, key, added[key]);
  }
  const BSON = {
    ObjectId, ObjectID: ObjectId, Binary, UUID, Long, Int32, Double, Decimal128, BSONRegExp, Timestamp, MinKey, MaxKey,
  };

  // --- dates and regular expressions of the language itself

  const lastRelaxed = 253402300799999;  // the end of the year 9999
  hide(Date.prototype, "toJSON", function toJSON(key) {
    if (mode === PLAIN || !(this instanceof DateHere)) return apply(plainDate, this, [key]);
    const time = apply(getTime, this, []);
    if (time !== time) return null;
    return { $date: mode === RELAXED && time >= 0 && time <= lastRelaxed ? apply(toISOString, this, []) : { $numberLong: StringHere(time) } };
  });
  hide(RegExp.prototype, "toJSON", function toJSON() {
    if (mode === PLAIN) return this;
    return { $regularExpression: { pattern: this.source, options: [...this.flags].filter((flag) => "imsux".includes(flag)).sort().join("") } };
  });

  // --- Extended JSON -> values

  const makers = {
    $oid: (value) => new ObjectId(value),
    $date: (value) => {
      const date = new DateHere(value !== null && typeof value === "object" ? NumberHere(value.$numberLong) : value);
      date.toISOString();  // throws when it is none
      return date;
    },
    $numberInt: (value) => NumberHere(value),
    $numberLong: (value) => long(StringHere(value)),
    $numberDouble: (value) => NumberHere(value),
    $numberDecimal: (value) => new Decimal128(value),
    $uuid: (value) => new UUID(value),
    $regularExpression: (value) => new BSONRegExp(value.pattern, value.options),
    $minKey: () => new MinKey(),
    $maxKey: () => new MaxKey(),
    $timestamp: (value) => new Timestamp(value),
    $binary: (value) => {
      const subType = parseInt(value.subType, 16);
      const binary = new Binary(Bytes.fromBase64(value.base64), subType);
      return subType === 4 && binary.length() === 16 ? new UUID(binary) : binary;
    },
  };
  // Changes `value` in place: it was parsed a moment ago and nobody else holds it. What only looks like a wrapper stays.
  function revive(value) {
    if (value === null || typeof value !== "object") return value;
    const names = keys(value);
    if (!isArray(value) && names.length === 1 && names[0][0] === "$" && Object.hasOwn(makers, names[0])) {
      try {
        return makers[names[0]](value[names[0]]);
      } catch (_) {
        return value;
      }
    }
    for (const name of names) {
      const inner = value[name];  // parsed objects own all their names, "__proto__" too
      if (inner !== null && typeof inner === "object") value[name] = revive(inner);
    }
    return value;
  }
  const read = (text) => (text.includes('"$') || text.includes("u0024") ? revive(parse(text)) : parse(text));

  // --- values -> Extended JSON

  const isOdd = (value) => typeof value === "number" && !isFinite(value);
  function relaxed(value) {
    const before = mode;
    mode = RELAXED;
    try {
      const text = stringify(value);
      // JSON writes numbers that are none as null: asked again only when there is a null at all.
      return text !== undefined && text.includes("null") ? stringify(value, (_, inner) => (isOdd(inner) ? double(inner) : inner)) : text;
    } finally {
      mode = before;
    }
  }
  function canonical(value, space) {
    const before = mode;
    mode = CANONICAL;
    const above = new SetHere();
    // Numbers below "$..." are part of a wrapper already.
    const walk = (inner) => {
      if (typeof inner === "number") return isInteger(inner) && !is(inner, -0) && Math.abs(inner) < 2 ** 63 ? { $numberLong: StringHere(BigIntHere(inner)) } : double(inner);
      if (inner === null || (typeof inner !== "object" && typeof inner !== "function")) return inner;
      if (typeof inner.toJSON === "function") {
        const own = inner._bsontype !== undefined || inner instanceof DateHere || inner instanceof RegExpHere || inner === MinKey || inner === MaxKey;
        const shown = inner.toJSON();
        return own ? shown : walk(shown);
      }
      if (typeof inner === "function") return undefined;
      if (above.has(inner)) throw new TypeErrorHere("EJSON.stringify: the value holds itself");
      above.add(inner);
      const copy = isArray(inner) ? [] : {};
      for (const name of keys(inner)) defineProperty(copy, name, { value: walk(inner[name]), enumerable: true, configurable: true, writable: true });
      above.delete(inner);
      return copy;
    };
    try {
      return stringify(walk(value), undefined, space);
    } finally {
      mode = before;
    }
  }
  const EJSON = {
    parse(text) { return read(StringHere(text)); },
    stringify(value, ...more) {
      const options = more.find((one) => one !== null && typeof one === "object" && !isArray(one)) ?? {};
      const space = more.find((one) => typeof one === "number" || typeof one === "string");
      if (!options.relaxed) return canonical(value, space);
      const text = relaxed(value);
      return space === undefined || text === undefined ? text : stringify(parse(text), undefined, space);
    },
  };

  // --- texts and bytes: the engine has no TextEncoder

  const latin1 = (text) => Bytes.from(text, (letter) => letter.charCodeAt(0));
  function encode(text) { return latin1(unescape(encodeURIComponent(StringHere(text).toWellFormed()))); }
  function decode(bytes) {
    let text = "";
    for (let at = 0; at < bytes.length; at += 4096) text += StringHere.fromCharCode(...bytes.subarray(at, at + 4096));
    try {
      return decodeURIComponent(escape(text));
    } catch (_) {
      return text;  // no UTF-8: its bytes as they are
    }
  }
  function show(value) {
    const text = typeof value === "string" ? stringify(value) : StringHere(value);
    return text.length > 80 ? text.slice(0, 80) + "..." : text;
  }
  return { BSON, EJSON, read, relaxed, encode };
})
