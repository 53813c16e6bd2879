// Somebody with a browser: a headless Chromium in which no page may complain.
//
// Whatever a user would not see but a developer would - an error in the console, a violation of the content
// security policy, a request to somebody else's server, an answer of 400 or more that nobody expected - is
// written down in `problems`, and the story fails when there is any.

import { chromium } from "playwright-core";

export const SIZES = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
};

/// Nothing of a page takes longer, milliseconds.
const PATIENCE = 20_000;

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/// Requests that a browser ends itself when it leaves a page.
const LEFT = "net::ERR_ABORTED";
/// Chromium's word in the console for an answer of 400 or more, which is judged by its status instead.
const REFUSED = "Failed to load resource";

export function launch() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  return chromium.launch({ executablePath, args: FLAGS });
}

/// One person with one window: cookies of their own, one page.
export class Visitor {
  /// What was wrong so far, of all visitors.
  static problems = [];

  /// `friends` are the origins that the pages may lead to besides their own.
  static async enter(browser, { base, friends = [], name, javaScriptEnabled = true }) {
    const context = await browser.newContext({
      javaScriptEnabled,
      viewport: SIZES.desktop,
      reducedMotion: "reduce",
    });
    const visitor = new Visitor(context, [base, ...friends], name);
    visitor.page = await context.newPage();
    visitor.page.setDefaultTimeout(PATIENCE);
    visitor.#listen();
    return visitor;
  }

  constructor(context, origins, name) {
    this.context = context;
    this.origins = origins;
    this.name = name;
    this.base = origins[0];
    this.refusals = new Set();
  }

  go(path) {
    return this.page.goto(new URL(path, this.base).href);
  }

  /// Answers with this status are part of the story while `act` goes on.
  async expecting(status, act) {
    this.refusals.add(status);
    const result = await act();
    this.refusals.delete(status);
    return result;
  }

  /// Presses the button with exactly this word.
  press(word, within = this.page) {
    return within.getByRole("button", { name: word, exact: true }).click();
  }

  /// Follows the link with exactly this word.
  follow(word, within = this.page) {
    return within.getByRole("link", { name: word, exact: true }).first().click();
  }

  fill(label, value, within = this.page) {
    return within.getByLabel(label, { exact: true }).fill(value);
  }

  /// Waits until the page says this.
  sees(text, within = this.page) {
    return within.getByText(text).first().waitFor();
  }

  async heading(text) {
    await this.page.getByRole("heading", { level: 1, name: text }).waitFor();
  }

  leave() {
    return this.context.close();
  }

  #listen() {
    const note = (what) => Visitor.problems.push(`${this.name}: ${this.page.url()}: ${what}`);
    this.page.on("console", (message) => {
      const text = message.text();
      if (message.type() === "error" && !text.startsWith(REFUSED)) note(`console: ${text}`);
    });
    this.page.on("pageerror", (error) => note(`script: ${error.message}`));
    this.page.on("request", (request) => {
      const { origin, protocol } = new URL(request.url());
      const ours = this.origins.includes(origin) || protocol === "data:";
      if (!ours) note(`a request to ${request.url()}`);
    });
    this.page.on("requestfailed", (request) => {
      const why = request.failure()?.errorText;
      if (why !== LEFT) note(`${request.method()} ${request.url()}: ${why}`);
    });
    this.page.on("response", (response) => {
      const status = response.status();
      if (status >= 400 && !this.refusals.has(status)) note(`${status} of ${response.url()}`);
    });
  }
}
