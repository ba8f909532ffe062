// The JavaScript side of a worker: what a function sees beside the language, and how its result gets out.
// Evaluated once, before the function's source; returns one function that hands out the four entry points, so
// nothing of it stays reachable from the global object. What it uses is taken now: a function that replaces
// JSON.stringify or Promise.prototype.then changes its own behaviour, not the bridge's.
(function penstockBridge(configText) {
  "use strict";
  const { parse, stringify } = JSON;
  const { apply, ownKeys } = Reflect;
  const { defineProperty, freeze } = Object;
  const PromiseHere = Promise, ErrorHere = Error, StringHere = String, NumberHere = Number, MapHere = Map, DateHere = Date;
  const join = Array.prototype.join, then = Promise.prototype.then, resolve = Promise.resolve;
  const now = performance.now.bind(performance);
  const writeLog = globalThis.__penstockLog;
  delete globalThis.__penstockLog;
  const config = parse(configText);

  // The engine joins long strings lazily (ropes), and its Python side cannot read those: what leaves is joined here.
  const flat = (...parts) => apply(join, parts, [""]);

  let current = 0;      // number of the call that runs; what a call before it left behind cannot answer for it
  let state = null;     // "S" + JSON or "F" + JSON once the call has settled
  let asked = [];       // host calls of this turn, as JSON texts
  let nextId = 0;
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
      const text = stringify(value);
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

  function show(value) {
    if (typeof value === "string") return value;
    if (value instanceof ErrorHere) return StringHere(value.stack ? value.name + ": " + value.message + "\n" + traceOf(value).join("\n") : value);
    try {
      const text = stringify(value);
      return text === undefined ? StringHere(value) : text;
    } catch (_) {
      return StringHere(value);
    }
  }
  const print = (level) => (...values) => {
    const line = new DateHere().toISOString() + "\t" + context.awsRequestId + "\t" + level + "\t" + values.map(show).join(" ");
    writeLog(flat(line.toWellFormed().replaceAll("\0", "\ufffd"), "\n"));  // the engine's C strings end at NUL
  };
  const console = {
    log: print("INFO"), info: print("INFO"), debug: print("DEBUG"), warn: print("WARN"),
    error: print("ERROR"), trace: print("TRACE"),
  };
  const context = {
    functionName: config.name,
    functionVersion: "$LATEST",
    memoryLimitInMB: StringHere(config.memoryMB),
    awsRequestId: "",
    clientContext: undefined,
    getRemainingTimeInMillis: () => Math.max(0, Math.floor(deadline - now())),
  };
  function ask(name, args) {
    return new PromiseHere((settled, rejected) => {
      const id = ++nextId;
      asked.push(stringify({ id, name, args }));  // throws, and so rejects, when args are no JSON
      waiting.set(id, [settled, rejected]);
    });
  }
  for (const name of config.hostFunctions) {  // "functions.execute" becomes context.functions.execute(...)
    const parts = name.split(".");
    let at = context;
    for (const part of parts.slice(0, -1)) at = at[part] ??= {};
    at[parts.at(-1)] = (...args) => ask(name, args);
  }
  const hidden = { writable: true, configurable: true, enumerable: false };
  const give = (name, value) => defineProperty(globalThis, name, { ...hidden, value });
  give("console", console);
  give("context", context);
  give("setTimeout", (callback, milliseconds, ...args) => {
    if (typeof callback !== "function") throw new TypeError("setTimeout needs a function");
    timers.set(++nextId, [now() + Math.max(0, NumberHere(milliseconds) || 0), callback, args]);
    return nextId;
  });
  give("clearTimeout", (id) => { timers.delete(id); });
  give("require", (name) => {
    throw new ErrorHere("require(" + stringify(name) + "): functions run in a sandbox without modules; put the code into the function's file");
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
    if (found === null) return false;
    [target, wantsContext] = found;
    return true;
  }
  function penstockStart(requestId, clientContext, argsText, timeoutMs) {
    const call = ++current;
    state = null;
    asked = [];
    waiting.clear();
    timers.clear();
    deadline = now() + timeoutMs;
    context.awsRequestId = requestId;
    try {
      context.clientContext = clientContext ? parse(clientContext) : undefined;
      const args = parse(argsText);
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
    for (const { id, ok, value } of parse(answersText)) {
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
