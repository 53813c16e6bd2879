// Hands that have no mouse: everything by Tab, Space and Enter, and what has the focus shows it.

/// More stops than any page has.
const STOPS_MAX = 150;

/// Goes on by Tab to what has this role and name.
export async function tabTo({ page }, role, name) {
  const target = page.getByRole(role, { name, exact: true }).first();
  await target.waitFor();
  for (let stop = 0; stop < STOPS_MAX; stop++) {
    await page.keyboard.press("Tab");
    if (await target.evaluate((element) => element === document.activeElement)) {
      if (await target.evaluate(isUnmarked)) throw new Error(`nobody sees that ${name} has the focus`);
      return;
    }
  }
  throw new Error(`Tab does not lead to the ${role} ${name} on ${page.url()}`);
}

export async function pressKey({ page }, role, name, key = "Enter") {
  await tabTo({ page }, role, name);
  await page.keyboard.press(key);
}

export async function typeInto({ page }, name, text) {
  await tabTo({ page }, "textbox", name);
  await page.keyboard.type(text);
}

function isUnmarked(element) {
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  return outlineStyle === "none" || outlineWidth === "0px";
}
