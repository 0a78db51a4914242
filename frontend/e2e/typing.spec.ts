import type { Locator } from "@playwright/test";
import { ANYWHERE, expect, type Page, test } from "./fixtures";
import { as, openBoard } from "./page";

/** What an input method does: the text under way changes with every key, until it is committed. */
async function compose(page: Page, steps: readonly string[], committed: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  for (const text of steps) {
    await session.send("Input.imeSetComposition", {
      text,
      selectionStart: text.length,
      selectionEnd: text.length,
    });
    // The page has drawn what it made of it, as it does between two keys of a person's.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))));
  }
  await session.send("Input.insertText", { text: committed });
  await session.detach();
}

const FIELDS: readonly ((page: Page) => Locator)[] = [
  (page) => page.getByRole("combobox", { name: "Your name" }),
  (page) => page.getByRole("combobox", { name: "Find a player" }),
  (page) => page.getByLabel("Go to rank"),
  (page) => page.getByLabel("Score", { exact: true }),
  (page) => page.getByLabel("Game mode"),
  (page) => page.getByLabel("Duration"),
  (page) => page.getByLabel("Metadata (JSON)"),
];

test("every field keeps text as an input method composes it", ANYWHERE, async ({ page, stack }) => {
  await openBoard(page, stack);
  await page.getByText("More", { exact: true }).click();
  // So that no field is left out: there are as many in the page.
  await expect(page.locator("input:not([type=radio]):visible, textarea:visible")).toHaveCount(
    FIELDS.length,
  );
  for (const field of FIELDS) {
    const input = field(page);
    await input.fill("");
    await input.focus();
    await compose(page, ["n", "に", "にほん"], "日本");
    await expect(input).toHaveValue("日本");
    await compose(page, ["¨"], "ö");
    await expect(input).toHaveValue("日本ö");
    // The caret in the middle stays there.
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.type("ab");
    await expect(input).toHaveValue("日ab本ö");
    await compose(page, ["N", "No"], "Nova");
    await expect(input).toHaveValue("日abNova本ö");
    await input.fill("");
  }
});

test("digits of another keyboard are a score", async ({ page, stack }) => {
  const userId = await stack.api.createUser(`Digits ${Date.now()}`);
  await as(page, userId);
  await openBoard(page, stack);
  await page.getByLabel("Score", { exact: true }).focus();
  await compose(page, ["１", "１２", "１２３"], "１２３");
  await page.keyboard.press("Enter");
  await expect(page.getByText(/^Counted/)).toBeVisible();
  expect(await stack.api.rank(userId)).toMatchObject({ score: 123 });
});

test("a name that the service refuses is told as what it is", ANYWHERE, async ({ page, stack }) => {
  await openBoard(page, stack);
  for (const name of ["Find a player", "Your name"]) {
    await page.getByRole("combobox", { name }).fill("a\u0007b");
    await expect(page.getByText("must have no control characters")).toBeVisible();
    await expect(page.getByText(/not answering/)).toBeHidden();
    await page.getByRole("combobox", { name }).fill("");
  }
});

test("who joins with a name that hides something is told why not", async ({ page, stack }) => {
  await openBoard(page, stack);
  await page.getByRole("combobox", { name: "Your name" }).fill("a\u202eb");
  await page.getByRole("option", { name: /^Join as/ }).click();
  await expect(page.getByText(/no control or invisible characters/)).toBeVisible();
  await expect(page.getByRole("combobox", { name: "Your name" })).toHaveValue("a\u202eb");
});

test(
  "a rank that is none is refused, with the ranks that there are",
  ANYWHERE,
  async ({ page, stack }) => {
    await openBoard(page, stack);
    const jump = page.getByLabel("Go to rank");
    for (const typed of ["-1", "1e2", "0", "2.5"]) {
      await jump.fill(typed);
      await jump.press("Enter");
      await expect(jump).toHaveAccessibleDescription(/There are ranks 1 to/);
    }
    await jump.fill("#1");
    await jump.press("Enter");
    await expect(jump).toHaveAttribute("aria-invalid", "false");
  },
);
