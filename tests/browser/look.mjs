// How a page looks and reads: pictures in both themes and at both sizes for people to judge, and what can be
// judged by a program - axe-core's findings, and text that a phone would have to scroll sideways for.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { SIZES, Visitor } from "./browser.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FOLDER = process.env.SCREENSHOTS;
const THEMES = ["light", "dark"];
/// What axe calls findings that keep people out.
const GRAVE = ["serious", "critical"];

const seen = new Set();

/// Looks at the page that is open, under this name; each name once.
export async function look(visitor, name, folder = FOLDER) {
  if (seen.has(name)) throw new Error(`two pages are called ${name}`);
  seen.add(name);
  const { page } = visitor;
  await isWhole(visitor, name);
  for (const colorScheme of THEMES) {
    await page.emulateMedia({ colorScheme });
    for (const [size, viewport] of Object.entries(SIZES)) {
      await page.setViewportSize(viewport);
      // Colours are the same at both sizes, and what a phone shows is the same in both themes.
      const isNew = colorScheme === "light" || size === "desktop";
      if (isNew) await reads(visitor, `${name}, ${colorScheme}, ${size}`);
      if (folder) await picture(page, folder, `${name}-${colorScheme}-${size}.png`);
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(SIZES.desktop);
}

export function looked() {
  return seen.size;
}

/// A title, one heading of the first rank, and the way here.
async function isWhole({ page }, name) {
  const headings = await page.locator("h1").count();
  if (headings !== 1) Visitor.problems.push(`${name}: ${headings} headings of the first rank`);
  if ((await page.title()) === "") Visitor.problems.push(`${name}: no title`);
}

async function picture(page, folder, name) {
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, name), fullPage: true, animations: "disabled" });
}

/// Text that is cut off or needs scrolling sideways, and what axe finds.
async function reads(visitor, where) {
  const { page } = visitor;
  const note = (what) => Visitor.problems.push(`${where}: ${what}`);
  const { room, needed, widest } = await page.evaluate(widths);
  if (needed > room) note(`${needed} px wide in a window of ${room}: ${widest}`);
  for (const finding of await findings(page)) note(finding);
}

function widths() {
  const { clientWidth: room, scrollWidth: needed } = document.documentElement;
  let widest = "";
  if (needed > room) {
    const over = [...document.body.querySelectorAll("*")].filter(
      (element) => element.getBoundingClientRect().right > room + 1,
    );
    const one = over.find((element) => !over.some((other) => element !== other && element.contains(other)));
    widest = one?.outerHTML.slice(0, 200) ?? "";
  }
  return { room, needed, widest };
}

async function findings(page) {
  // Evaluated by the debugger, so that the page's own policy stays in force.
  if (!(await page.evaluate("typeof axe !== 'undefined'"))) await page.evaluate(AXE);
  const violations = await page.evaluate(async (grave) => {
    const result = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return result.violations.filter((violation) => grave.includes(violation.impact));
  }, GRAVE);
  return violations.flatMap((violation) =>
    violation.nodes.map((node) => {
      const why = [...node.any, ...node.all, ...node.none].map((check) => check.message).join("; ");
      return `axe ${violation.id} (${violation.impact}): ${node.html.slice(0, 160)}: ${why}`;
    }),
  );
}
