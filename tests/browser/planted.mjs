// A watch that sees nothing would let every page pass: a page with one fault of each kind must be noticed.

import { createServer } from "node:http";
import { Visitor } from "./browser.mjs";
import { look } from "./look.mjs";

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src *; script-src 'self'";
const PAGE = `<!doctype html><html lang="en"><head><title>Planted</title></head><body><main>
  <h1>One</h1><h1>Two</h1>
  <p style="color: #ddd; background: #fff">pale</p>
  <div style="width: 3000px">wide</div>
  <img src="http://127.0.0.1:9/elsewhere.png">
  <script>document.title = "inline"</script>
  <script src="/broken.js"></script>
</main></body></html>`;
const SIGNS = [
  "headings of the first rank",
  "axe color-contrast (serious)",
  "axe image-alt (critical)",
  "px wide in a window of",
  "a request to http://127.0.0.1:9/elsewhere.png",
  "console: ",
  "script: planted",
  "404 of ",
];

export async function faultsAreNoticed({ browser }) {
  const server = createServer((request, response) => {
    const { url } = request;
    const type = url === "/broken.js" ? "text/javascript" : "text/html";
    const headers = { "content-type": type, "content-security-policy": POLICY };
    response.writeHead(url === "/missing" ? 404 : 200, headers);
    response.end(url === "/broken.js" ? 'throw new Error("planted");' : PAGE);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${server.address().port}`;
  const visitor = await Visitor.enter(browser, { base, name: "planted" });
  await visitor.go("/");
  await look(visitor, "planted", null);
  await visitor.go("/missing");
  const noticed = Visitor.problems.splice(0);
  const missed = SIGNS.filter((sign) => !noticed.some((problem) => problem.includes(sign)));
  if (missed.length > 0) throw new Error(`not noticed: ${missed.join(", ")}\nnoticed: ${noticed.join("\n")}`);
  await visitor.leave();
  server.close();
}
