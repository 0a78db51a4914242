import { test as base, expect } from "./fixtures";
import { expectSound, openBoard, rowOf } from "./page";
import { Stack } from "./stack";

// biome-ignore lint/complexity/noBannedTypes: Playwright's way to say "nothing for each test"
const test = base.extend<{}, { guarded: Stack; strict: Stack }>({
  guarded: [provide("with guests"), { scope: "worker", timeout: 90_000 }],
  strict: [provide("without guests"), { scope: "worker", timeout: 90_000 }],
});

function provide(closed: "with guests" | "without guests") {
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads here that it needs no fixtures
  return async ({}, use: (stack: Stack) => Promise<void>): Promise<void> => {
    const stack = await Stack.start({ players: 24, closed });
    try {
      await use(stack);
    } finally {
      await stack.remove();
    }
  };
}

test("where everybody is asked, a guest joins, sends a score, and comes back", async ({
  page,
  guarded,
}) => {
  await guarded.command("boards", "set", "global", "--client-submissions");
  const problems: string[] = [];
  page.on("console", (each) => each.type() === "error" && problems.push(each.text()));
  await openBoard(page, guarded);
  await expect(page.getByText("Open mode")).toBeHidden();
  const name = `Guest ${Date.now()}`;
  await page.getByRole("combobox", { name: "Your name" }).fill(name);
  await page.getByRole("option", { name: `Join as ${name}` }).click();
  await page.getByLabel("Score", { exact: true }).fill("77000000");
  await page.getByRole("button", { name: "Send score" }).click();
  await expect(page.getByText(/^Counted/)).toBeVisible();
  await page.reload();
  await expect(page.getByTestId("connection")).toContainText("Live");

  // A token that has run out is renewed without a word, and before it is refused.
  await page.evaluate(() => {
    const key = "leaderboard.session";
    const kept = JSON.parse(localStorage.getItem(key) ?? "");
    kept.state.proof.expires_at = "2026-01-01T00:00:00Z";
    kept.state.proof.token = "no.such.token";
    localStorage.setItem(key, JSON.stringify(kept));
  });
  await page.reload();
  await page.getByLabel("Score", { exact: true }).fill("1");
  await page.getByRole("button", { name: "Send score" }).click();
  await expect(page.getByText(/^Counted/)).toBeVisible();
  await expect(page.getByRole("row").filter({ hasText: name })).toContainText("77,000,001");
  // Nothing refused, no policy broken; "not ranked yet" is all that was not found.
  expect(problems.filter((each) => !each.includes("404"))).toEqual([]);
});

test("an account is kept when another player is looked on, and comes back by its code", async ({
  page,
  guarded,
}) => {
  const name = `Keeps ${Date.now()}`;
  await openBoard(page, guarded);
  await page.getByRole("combobox", { name: "Your name" }).fill(name);
  await page.getByRole("option", { name: `Join as ${name}` }).click();
  await expect(page.getByRole("button", { name: "Sign out" })).toBeVisible();
  // Somebody else's page, and "This is me": the account is still there.
  await page.goto(`${guarded.url}/players/7`);
  await page.getByRole("button", { name: "This is me" }).click();
  await page.getByRole("link", { name: "Show on the board" }).click();
  await page.getByRole("button", { name: "Not you?" }).click();
  await page.getByRole("button", { name: `Continue as ${name}` }).click();

  await page.getByRole("button", { name: "Sign out" }).click();
  const code = (await page.getByTestId("recovery-code").textContent()) ?? "";
  expect(code).toMatch(/^\d+\.\S{20,}$/);
  await page
    .getByRole("group", { name: "Sign out" })
    .getByText("Sign out", { exact: true })
    .click();
  const kept = () => page.evaluate(() => localStorage.getItem("leaderboard.session"));
  await expect.poll(kept).not.toContain(name);
  await page.getByRole("button", { name: "I have a recovery code" }).click();
  await page.getByLabel("Recovery code").fill("12.wrong");
  await page.getByRole("button", { name: "Continue", exact: true }).click();
  await expect(page.getByLabel("Recovery code")).toHaveAccessibleDescription(
    "No player has this code.",
  );
  await page.getByLabel("Recovery code").fill(code);
  await page.getByRole("button", { name: "Continue", exact: true }).click();
  await expect(page.getByRole("button", { name: "Switch player" })).toBeVisible();
  await expect(page.getByRole("link", { name }).first()).toBeVisible();
});

test("somebody else's name can be looked on with, and no more", async ({ page, guarded }) => {
  await guarded.command("boards", "set", "global", "--client-submissions");
  await openBoard(page, guarded);
  await page.getByRole("combobox", { name: "Your name" }).fill("Player 7");
  await page.getByRole("option", { name: /^Player 7\b/ }).click();
  await expect(page.getByTestId("my-rank")).toBeVisible();
  await expect(page.getByText(/You're looking on/)).toBeVisible();
  await expect(page.getByRole("button", { name: "Send score" })).toBeDisabled();
});

test("a board that takes scores from servers alone says so, and is as live as any", async ({
  page,
  strict,
}) => {
  await openBoard(page, strict);
  await expect(page.getByText("Scores on this board come from the game itself.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Send score" })).toBeHidden();
  await page.getByRole("combobox", { name: "Your name" }).fill("Somebody new");
  await expect(page.getByText("Nobody here is called Somebody new")).toBeVisible();
  const made = await strict.command("keys", "create", "--name", "server", "--scope", "submit");
  const key = /lb_\w+_[\w-]+/.exec(made)?.[0];
  const submit = async () => {
    const answer = await fetch(`${strict.url}/api/leaderboard/submit`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ user_id: 5, score: 88_000_000, game_mode: "ranked" }),
    });
    return answer.status;
  };
  // Every worker knows the new key within a second.
  await expect.poll(submit).toBe(200);
  await expect(rowOf(page, 5)).toContainText("88,");
  await expectSound(page);
});
