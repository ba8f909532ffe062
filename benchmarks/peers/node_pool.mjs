// A function host written the way one would in Node, for the record: an HTTP server and a pool of worker threads, each
// with the function loaded, one call at a time. No limits, no manifest, no authentication.
import http from "node:http";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { readFileSync } from "node:fs";
import vm from "node:vm";

if (isMainThread) {
  const [file, threads] = process.argv.slice(2);
  const free = [], waiting = [], answers = new Map();
  let number = 0;
  const next = (worker) => {
    const call = waiting.shift();
    if (call) worker.postMessage(call);
    else free.push(worker);
  };
  for (let i = 0; i < Number(threads); i++) {
    const worker = new Worker(new URL(import.meta.url), { workerData: file });
    worker.on("message", ([id, text]) => {
      const response = answers.get(id);
      answers.delete(id);
      response.writeHead(200, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) });
      response.end(text);
      next(worker);
    });
    worker.on("online", () => next(worker));
  }
  const server = http.createServer((request, response) => {
    const pieces = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => {
      const call = [++number, Buffer.concat(pieces).toString()];
      answers.set(call[0], response);
      const worker = free.pop();
      if (worker) worker.postMessage(call);
      else waiting.push(call);
    });
  });
  server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
} else {
  const context = vm.createContext({ console });
  vm.runInContext(readFileSync(workerData, "utf8"), context);
  parentPort.on("message", async ([id, text]) => {
    let answer;
    try {
      answer = JSON.stringify(await context.exports(JSON.parse(text)));
    } catch (error) {
      answer = JSON.stringify({ errorType: error.name, errorMessage: error.message });
    }
    parentPort.postMessage([id, answer ?? "null"]);
  });
}
