// Every page that links lead to: looked at by the owner, and read once more without JavaScript.

import { Visitor } from "./browser.mjs";
import { look } from "./look.mjs";
import { signIn } from "./signing_in.mjs";
import { BASE } from "./world.mjs";

/// What stands for a page of one thing, whichever thing it is: `/console/apps/app/webhooks/hook`.
const ID = /\b([a-z]{3,4})_[0-9a-z]{20}\b/g;

/// The pages that a walk along all links finds, one of each kind, by the name of the kind.
export async function everyPage({ owner, app }) {
  const paths = await walk(owner, ["/console/", `/console/apps/${app}`], async (kind) => {
    await look(owner, kind.slice(1).replace(/\/$/, "").replaceAll("/", "-"));
  });
  console.log(`pages: ${[...paths.keys()].sort().join(" ")}`);
  return paths;
}

/// All of it can be read without JavaScript.
export async function readWithoutJavaScript({ browser, app }) {
  const plain = await Visitor.enter(browser, { base: BASE, name: "no script", javaScriptEnabled: false });
  await signIn(plain);
  await walk(plain, ["/console/", `/console/apps/${app}`], async () => {});
  await plain.leave();
}

async function walk(visitor, starts, at) {
  const found = new Map();
  const queue = [...starts];
  while (queue.length > 0) {
    const path = queue.shift();
    const kind = kindOf(path);
    if (found.has(kind)) continue;
    found.set(kind, path);
    await visitor.go(path);
    await visitor.page.locator("main h1").waitFor();
    const links = await visitor.page.locator("a[href]").evaluateAll((all) => all.map((link) => link.href));
    queue.push(...links.filter(isPage).map((link) => new URL(link).pathname));
    await at(kind);
  }
  return found;
}

function kindOf(path) {
  return path.replace(ID, "$1");
}

function isPage(link) {
  const { origin, pathname } = new URL(link);
  return origin === BASE && pathname.startsWith("/console/");
}
