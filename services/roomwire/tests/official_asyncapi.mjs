// Reads AsyncAPI documents by AsyncAPI's own parser; prints a line for each: its name, its operations, and what is wrong with it.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { Parser } from "@asyncapi/parser";

const ERROR = 0;
const WARNING = 1;

for (const path of process.argv.slice(2)) {
  const { document, diagnostics } = await new Parser().parse(readFileSync(path, "utf8"));
  const wrong = diagnostics
    .filter(({ severity }) => severity === ERROR || severity === WARNING)
    .map(({ path, message }) => `${path.join(".")}: ${message}`);
  console.log(JSON.stringify([basename(path), document?.allOperations().length ?? 0, wrong]));
}
