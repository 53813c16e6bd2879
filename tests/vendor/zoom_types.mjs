// Judges JSON by the types that Zoom publishes in @zoom/rivet.
//
// Standard input: one JSON object a line, {"module": "meetings" | "users" | …, "type", "value"}.
// Exit status 0 only when there is at least one line and every value has its type; a member that the
// type does not have is an error too.

import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import ts from "typescript";

let source = "";
let lines = 0;
for await (const line of createInterface({ input: process.stdin })) {
  if (!line.trim()) continue;
  lines += 1;
  const { module, type, value } = JSON.parse(line);
  const text = JSON.stringify(value).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
  source += `export const v${lines}: import("@zoom/rivet/${module}").${type} = ${text};\n`;
}

const name = fileURLToPath(new URL("zoom_types_input.ts", import.meta.url));
const options = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: [],
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
};
const host = ts.createCompilerHost(options);
const { getSourceFile, fileExists, readFile } = host;
host.fileExists = (file) => file === name || fileExists(file);
host.readFile = (file) => (file === name ? source : readFile(file));
host.getSourceFile = (file, ...rest) =>
  file === name ? ts.createSourceFile(file, source, rest[0]) : getSourceFile(file, ...rest);
const program = ts.createProgram([name], options, host);
const problems = ts.getPreEmitDiagnostics(program).filter((one) => one.file?.fileName === name);
for (const problem of problems) {
  const text = ts.flattenDiagnosticMessageText(problem.messageText, "\n");
  const { line } = problem.file.getLineAndCharacterOfPosition(problem.start);
  console.error(`${source.split("\n")[line].slice(0, 90)}…: ${text}`);
}
console.log(`${lines} lines, ${problems.length} unexpected`);
process.exitCode = lines > 0 && problems.length === 0 ? 0 : 1;
