// The first start, signing in and out, and a session that is ended from elsewhere.

import { createHmac } from "node:crypto";
import { Visitor } from "./browser.mjs";
import { look } from "./look.mjs";
import { BASE } from "./world.mjs";

export const OWNER = { name: "Ada Lovelace", email: "ada@example.com", password: "analytical engine 1843" };

/// The link of the first start makes the owner, once.
export async function setUp({ browser, owner }) {
  const link = process.env.TIDINGS_SETUP;
  await owner.go(link);
  await owner.heading("Set up the console");
  await look(owner, "setup");
  await owner.fill("Your name", OWNER.name);
  await owner.fill("E-mail address", OWNER.email);
  await owner.fill("Password", "password");
  await owner.expecting(422, () => owner.press("Set up"));
  await owner.page.locator("[aria-invalid=true]").waitFor();
  await look(owner, "setup-refused");
  await owner.fill("Password", OWNER.password);
  await owner.press("Set up");
  await owner.sees("The console is set up. You are signed in.");
  await owner.heading("Apps");

  const late = await Visitor.enter(browser, { base: BASE, name: "late" });
  await late.go(link);
  await late.fill("Your name", "Mallory");
  await late.fill("E-mail address", "mallory@example.com");
  await late.fill("Password", "difference engine 1822");
  await late.expecting(404, () => late.press("Set up"));
  await late.heading("This link is over");
  await look(late, "setup-over");
  await late.leave();
}

export async function signIn(visitor, path = "/console/login") {
  await visitor.go(path);
  await visitor.fill("E-mail address", OWNER.email);
  await visitor.fill("Password", OWNER.password);
  await visitor.press("Sign in");
}

/// Out, in with a mistake, and back to the page that was asked for.
export async function signOutAndIn({ owner }) {
  await owner.press("Sign out");
  await owner.sees("You are signed out.");
  await look(owner, "login");
  await owner.go("/console/profile");
  await owner.heading("Sign in");
  await owner.fill("E-mail address", OWNER.email);
  await owner.fill("Password", "difference engine 1822");
  await owner.expecting(401, () => owner.press("Sign in"));
  await owner.sees("The address, the password or the code is wrong");
  await look(owner, "login-refused");
  await owner.fill("Password", OWNER.password);
  await owner.press("Sign in");
  await owner.heading(OWNER.name);
  await look(owner, "profile");
}

/// A session that is ended in another browser is over at the next page.
export async function endedElsewhere({ browser, owner }) {
  const other = await Visitor.enter(browser, { base: BASE, name: "another browser" });
  await signIn(other);
  await other.heading("Apps");
  await owner.go("/console/sessions");
  await owner.heading("Your sessions");
  await look(owner, "sessions");
  const others = owner.page.getByRole("row").filter({ hasNotText: "this one" });
  await owner.press("End", others.last());
  await owner.sees("The session has ended.");
  await other.go("/console/profile");
  await other.heading("Sign in");
  await other.leave();
}

/// Signing in with an authenticator, and without again.
export async function secondFactor({ owner }) {
  await owner.go("/console/profile");
  await owner.follow("Set up an authenticator");
  await owner.heading("Set up an authenticator");
  await look(owner, "authenticator");
  const secret = await owner.page.locator(".secret-text").innerText();
  await owner.fill("Code", "000000");
  await owner.expecting(422, () => owner.press("Turn on"));
  await owner.page.locator("[aria-invalid=true]").waitFor();
  await owner.fill("Code", code(secret, 0));
  await owner.press("Turn on");
  await owner.sees("Signing in asks for a code from now on.");
  await look(owner, "profile-with-authenticator");
  await owner.press("Sign out");
  await signIn(owner);
  await owner.sees("Give your password and the code of your authenticator.");
  await look(owner, "login-code");
  await owner.fill("Password", OWNER.password);
  // A code counts once, so this one is the next.
  await owner.fill("Code", code(secret, 1));
  await owner.press("Sign in");
  await owner.heading("Apps");
  await owner.go("/console/profile");
  await owner.fill("Password", OWNER.password);
  await owner.press("Turn off");
  await owner.sees("Signing in asks for no code any more.");
}

/// The code of RFC 6238 for this secret, so many steps from now.
function code(base32, steps) {
  const bits = [...base32].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter));
  const text = bits.map((five) => five.toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(text.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const hash = createHmac("sha1", key).update(counter).digest();
  const number = hash.readUInt32BE(hash[19] & 15) & 0x7fff_ffff;
  return String(number % 1_000_000).padStart(6, "0");
}
