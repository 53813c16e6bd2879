// Verifies signatures with the Standard Webhooks library for JavaScript.
//
// Standard input: one JSON object a line, {"secret", "headers", "body_b64", "expect": true | false}.
// Exit status 0 only when there is at least one line and every verdict is the expected one.

import { createInterface } from "node:readline";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

function isGenuine({ secret, headers, body_b64 }) {
  try {
    new Webhook(secret).verify(Buffer.from(body_b64, "base64"), headers);
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    // The library parses the body after it found the signature good; an empty body is no JSON.
    if (error instanceof SyntaxError) return true;
    throw error;
  }
}

let lines = 0;
let failures = 0;
for await (const line of createInterface({ input: process.stdin })) {
  if (!line.trim()) continue;
  lines += 1;
  const vector = JSON.parse(line);
  if (typeof vector.expect !== "boolean") throw new Error(`line ${lines}: expect must be a boolean`);
  const verdict = isGenuine(vector);
  if (verdict !== vector.expect) {
    failures += 1;
    console.error(`line ${lines}: verified is ${verdict}, expected ${vector.expect}`);
  }
}
console.log(`${lines} lines, ${failures} unexpected`);
process.exitCode = lines > 0 && failures === 0 ? 0 : 1;
