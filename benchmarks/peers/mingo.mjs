// What mingo needs for a document: JSON.parse, the pipeline on an array of that one document, JSON.stringify.
// Run: node mingo.mjs FOLDER ROUNDS, with FOLDER/pipelines.json ({name: stages}) and FOLDER/documents.jsonl.
// Prints {name: microseconds of CPU a document, or the error's message}, the best round of each.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, rounds] = process.argv.slice(2);
const { Aggregator } = createRequire(`${folder}/`)("mingo");
const pipelines = JSON.parse(readFileSync(`${folder}/pipelines.json`, "utf8"));
const lines = readFileSync(`${folder}/documents.jsonl`, "utf8").trimEnd().split("\n");

function measure(pipeline) {
  const aggregator = new Aggregator(pipeline);
  const before = process.cpuUsage();
  let written = 0;
  for (const line of lines) {
    for (const found of aggregator.run([JSON.parse(line)])) {
      written += JSON.stringify(found).length;
    }
  }
  const used = process.cpuUsage(before);
  if (written === 0) throw new Error("no document came through");
  return (used.user + used.system) / lines.length;
}

const best = {};
for (let round = 0; round < Number(rounds); round++) {
  for (const [name, pipeline] of Object.entries(pipelines)) {
    try {
      best[name] = Math.min(best[name] ?? Infinity, measure(pipeline));
    } catch (error) {
      best[name] = String(error.message).slice(0, 200);
    }
  }
}
console.log(JSON.stringify(best));
