// The JavaScript side of a worker: what a function sees beside the language, and how its result gets out.
// Evaluated once, before the function's source; returns one function that hands out the four entry points, so
// nothing of it stays reachable from the global object. What it uses is taken now: a function that replaces
// JSON.stringify or Promise.prototype.then changes its own behaviour, not the bridge's.
(function penstockBridge(configText, types) {
  "use strict";
  const { parse, stringify } = JSON;
  const { apply } = Reflect;
  const { defineProperty, freeze } = Object;
  const { BSON, EJSON, read, relaxed, encode } = types;
  const PromiseHere = Promise, ErrorHere = Error, StringHere = String, NumberHere = Number, MapHere = Map, DateHere = Date;
  const join = Array.prototype.join, then = Promise.prototype.then, resolve = Promise.resolve;
  const now = performance.now.bind(performance);
  const writeLog = globalThis.__penstockLog, callNative = globalThis.__penstockNative;
  delete globalThis.__penstockLog;
  delete globalThis.__penstockNative;
  const config = parse(configText);

  // The engine joins long strings lazily (ropes), and its Python side cannot read those: what leaves is joined here.
  const flat = (...parts) => apply(join, parts, [""]);

  let current = 0;      // number of the call that runs; what a call before it left behind cannot answer for it
  let state = null;     // "S" + JSON or "F" + JSON once the call has settled
  let asked = [];       // host calls of this turn, as JSON texts
  let nextId = 0;
  let requestId = "";
  let contextText = "", callContext = null;  // who calls: parsed when the function looks, most never do
  let deadline = 0;
  const waiting = new MapHere();  // host call id -> [resolve, reject]
  const timers = new MapHere();   // timer id -> [due, function, arguments]

  // --- errors, in the shape of Lambda's Node runtime

  function traceOf(error) {
    const lines = [];
    for (const line of StringHere(error.stack || "").split("\n")) {
      if (line.includes("penstock")) break;  // the bridge's own frames and what is below them
      if (line.trim()) lines.push(line.trim().replaceAll("<input>", config.file));
    }
    if (lines.at(-1) === "at apply (native)") lines.pop();  // the bridge calling the function
    return lines;
  }
  function describe(error) {
    try {
      if (error !== null && typeof error === "object" && "message" in error) {
        const type = StringHere(error.name || "Error"), message = StringHere(error.message);
        return stringify({ errorType: type, errorMessage: message, trace: [type + ": " + message, ...traceOf(error)] });
      }
      const text = typeof error === "object" ? stringify(error) : StringHere(error);
      return stringify({ errorType: error === null ? "null" : typeof error, errorMessage: text, trace: [] });
    } catch (_) {
      return stringify({ errorType: "Error", errorMessage: "the function threw a value that cannot be described", trace: [] });
    }
  }
  function fail(call, error) {
    if (call === current && state === null) state = flat("F", describe(error));
  }
  function succeed(call, value) {
    if (call !== current || state !== null) return;
    try {
      // A handler of Lambda's kind answers what JSON.stringify says, as there; the others keep their BSON types.
      const text = wantsContext ? stringify(value) : relaxed(value);
      state = flat("S", text === undefined ? "null" : text);
    } catch (error) {
      if (isOutOfMemory(error)) return fail(call, error);
      const why = error && error.message !== undefined ? error.message : error;
      const text = "Unable to stringify the response: " + StringHere(why);
      state = flat("F", stringify({ errorType: "Runtime.MarshalError", errorMessage: text, trace: [] }));
    }
  }
  function isOutOfMemory(error) {
    return error !== null && typeof error === "object" && error.name === "InternalError";
  }

  // --- what the function sees

  const LINE_LETTERS = 16384;  // of one console line; the log tail keeps 4 KB anyway
  function show(value) {
    if (typeof value === "string") return value;
    if (value instanceof ErrorHere) return StringHere(value.stack ? value.name + ": " + value.message + "\n" + traceOf(value).join("\n") : value);
    try {
      const text = relaxed(value);
      return text === undefined ? StringHere(value) : text;
    } catch (_) {
      return StringHere(value);
    }
  }
  const print = (level) => (...values) => {
    const line = new DateHere().toISOString() + "\t" + requestId + "\t" + level + "\t" + values.map(show).join(" ").slice(0, LINE_LETTERS);
    writeLog(flat(line.toWellFormed().replaceAll("\0", "\ufffd"), "\n"));  // the engine's C strings end at NUL
  };
  const console = {
    log: print("INFO"), info: print("INFO"), debug: print("DEBUG"), warn: print("WARN"),
    error: print("ERROR"), trace: print("TRACE"),
  };
  const ofCall = () => (callContext ??= contextText ? parse(contextText) : { user: null, runsAsSystem: false, request: {} });
  const context = {
    functionName: config.name,
    functionVersion: "$LATEST",
    memoryLimitInMB: StringHere(config.memoryMB),
    awsRequestId: "",
    clientContext: undefined,
    getRemainingTimeInMillis: () => Math.max(0, Math.floor(deadline - now())),
    get user() { return ofCall().user; },
    get request() { return ofCall().request; },
    runningAsSystem: () => ofCall().runsAsSystem,
    // Fresh at each look: what a call changes in a value is not there for the next one.
    values: { get: (name) => (Object.hasOwn(config.values, name) ? read(config.values[name]) : undefined) },
    environment: { tag: config.environmentTag, get values() { return read(config.environmentValues); } },
    services: {
      get(name) {
        throw new ErrorHere("context.services.get(" + stringify(name) + "): data sources and services are not in Penstock; use context.http or context.functions.execute");
      },
    },
  };
  function ask(name, args) {
    return new PromiseHere((settled, rejected) => {
      const id = ++nextId;
      asked.push(relaxed({ id, name, args }));  // throws, and so rejects, when args are no JSON
      waiting.set(id, [settled, rejected]);
    });
  }
  // The body is made here: how an object becomes JSON is the language's business.
  const send = (method) => (options) => {
    const { body, encodeBodyAsJSON, ...rest } = typeof options === "string" ? { url: options } : options ?? {};
    const sent = { ...rest, method: method ?? rest.method };
    if (encodeBodyAsJSON) sent.json = stringify(body);
    else if (body instanceof BSON.Binary) sent.base64 = body.toBase64();
    else if (typeof body === "object" && body !== null) throw new TypeError("context.http: the body is an object: set encodeBodyAsJSON, or make a string of it");
    else if (body !== undefined && body !== null) sent.body = StringHere(body);
    return ask("http.send", [sent]);
  };
  for (const name of config.hostFunctions) {  // "functions.execute" becomes context.functions.execute(...)
    const parts = name.split(".");
    let at = context;
    for (const part of parts.slice(0, -1)) at = at[part] ??= {};
    at[parts.at(-1)] = (...args) => ask(name, args);
  }
  if (config.hostFunctions.includes("http.send")) {
    context.http = { send: send() };
    for (const method of ["get", "post", "put", "patch", "delete", "head"]) context.http[method] = send(method.toUpperCase());
  }

  const native = (name, ...args) => {
    const { value, error } = parse(callNative(name, stringify(args)));
    if (error !== undefined) throw new ErrorHere(error);
    return value;
  };
  const bytesOf = (data) => (data instanceof BSON.Binary ? data : new BSON.Binary(encode(data))).toBase64();
  const binary = (base64) => BSON.Binary.fromBase64(base64);
  const utils = {
    crypto: {
      hash: (name, data) => binary(native("crypto.hash", name, bytesOf(data))),
      hmac: (text, secret, name, form) => native("crypto.hmac", StringHere(text), StringHere(secret), name, form),
      encrypt: (kind, text, key) => binary(native("crypto.encrypt", kind, StringHere(text), StringHere(key))),
      decrypt: (kind, data, key) => binary(native("crypto.decrypt", kind, bytesOf(data), StringHere(key))),
      sign: (kind, text, key, scheme = "pss") => binary(native("crypto.sign", kind, StringHere(text), StringHere(key), scheme)),
      verify: (kind, text, key, signature, scheme = "pss") =>
        native("crypto.verify", kind, StringHere(text), StringHere(key), bytesOf(signature), scheme),
    },
    jwt: {
      encode: (method, payload, secret, header) => native("jwt.encode", method, stringify(payload), StringHere(secret), header ?? null),
      decode: (token, key, returnHeader = false, accepted = null) => {
        const found = native("jwt.decode", StringHere(token), StringHere(key), accepted);
        return returnHeader ? found : found.payload;
      },
    },
  };
  const hidden = { writable: true, configurable: true, enumerable: false };
  const give = (name, value) => defineProperty(globalThis, name, { ...hidden, value });
  give("console", console);
  give("context", context);
  give("BSON", BSON);
  give("EJSON", EJSON);
  give("utils", utils);
  give("setTimeout", (callback, milliseconds, ...args) => {
    if (typeof callback !== "function") throw new TypeError("setTimeout needs a function");
    timers.set(++nextId, [now() + Math.max(0, NumberHere(milliseconds) || 0), callback, args]);
    return nextId;
  });
  give("clearTimeout", (id) => { timers.delete(id); });
  give("require", (name) => {
    const text = StringHere(name);
    const instead = text.startsWith(".") || text.startsWith("/")
      ? 'a function is one file: call the other one with context.functions.execute("' + text.replace(/^[./]+|\.js$/g, "") + '", ...)'
      : "npm packages and Node's modules are not there: use context.http, utils, BSON and EJSON, or put the code into the function's file";
    throw new ErrorHere("require(" + stringify(text) + "): functions run in a sandbox; " + instead);
  });
  const module = { exports: {} };
  give("module", module);
  give("exports", module.exports);

  // --- the entry points

  function exported() {
    const { exports } = globalThis;
    if (typeof exports === "function") return [exports, false];
    if (typeof module.exports === "function") return [module.exports, false];
    for (const holder of [exports, module.exports]) {
      if (holder && typeof holder.handler === "function") return [holder.handler, true];
    }
    return null;
  }
  let target = null, wantsContext = false;
  function penstockFind() {
    const found = exported();
    if (found === null) return "";
    [target, wantsContext] = found;
    return wantsContext ? "handler" : "function";
  }
  function penstockStart(id, clientContext, callText, argsText, timeoutMs) {
    const call = ++current;
    state = null;
    asked = [];
    waiting.clear();
    timers.clear();
    deadline = now() + timeoutMs;
    context.awsRequestId = requestId = id;
    contextText = callText;
    callContext = null;
    try {
      context.clientContext = clientContext ? parse(clientContext) : undefined;
      const args = wantsContext ? parse(argsText) : read(argsText);
      // `exports = function (...)` gets the arguments alone; Lambda's `exports.handler` gets (event, context).
      const result = apply(target, undefined, wantsContext ? [args[0], context] : args);
      if (result instanceof PromiseHere || (result !== null && typeof result === "object" && typeof result.then === "function")) {
        apply(then, apply(resolve, PromiseHere, [result]), [(value) => succeed(call, value), (error) => fail(call, error)]);
      } else {
        succeed(call, result);
      }
    } catch (error) {
      fail(call, error);
    }
  }
  // What is to be done now that no job is left: send these host calls, this is the result, wait for the host's
  // answers ("W") or for the next timer ("T" + milliseconds), or nothing can ever settle the call ("N").
  function penstockNext() {
    if (state !== null) return state;
    if (asked.length) {
      const text = flat("H[", apply(join, asked, [","]), "]");
      asked = [];
      return text;
    }
    if (timers.size) {
      let due = Infinity;
      for (const timer of timers.values()) due = Math.min(due, timer[0]);
      return "T" + Math.max(0, due - now());
    }
    return waiting.size ? "W" : "N";
  }
  function penstockFire() {
    const due = [...timers].filter(([, timer]) => timer[0] <= now()).sort((a, b) => a[1][0] - b[1][0] || a[0] - b[0]);
    for (const [id, timer] of due) {
      if (!timers.delete(id)) continue;  // cleared by one that ran before it
      try {
        apply(timer[1], undefined, timer[2]);
      } catch (error) {
        fail(current, error);
      }
    }
  }
  function penstockSettle(answersText) {
    for (const { id, ok, value } of read(answersText)) {
      const one = waiting.get(id);
      if (one === undefined) continue;
      waiting.delete(id);
      if (ok) one[0](value);
      else one[1](Object.assign(new ErrorHere(value.errorMessage), { name: value.errorType }));
    }
  }
  const entries = freeze({ find: penstockFind, start: penstockStart, next: penstockNext, fire: penstockFire, settle: penstockSettle });
  return (name) => entries[name];
})
