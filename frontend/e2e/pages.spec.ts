import { ANYWHERE, expect, test } from "./fixtures";
import { as, expectSound, openBoard } from "./page";

const SIZES = [
  { width: 360, height: 740 },
  { width: 768, height: 1024 },
  { width: 1440, height: 900 },
];

for (const viewport of SIZES) {
  test.describe(`at ${viewport.width} × ${viewport.height}`, () => {
    test.use({ viewport });

    test("the board, as a spectator and as a player", async ({ page, crowd }) => {
      await openBoard(page, crowd);
      await expectSound(page);
      await as(page, 4_321);
      await page.reload();
      await expect(page.getByText("Player 4321").first()).toBeVisible();
      await expectSound(page);
    });

    test("a player's page", async ({ page, crowd }) => {
      await page.goto(`${crowd.url}/players/4321`);
      await expect(page.getByRole("heading", { name: "Player 4321" })).toBeVisible();
      const { rank, score } = await crowd.api.rank(4_321);
      await expect(page.getByTestId("player-rank")).toContainText(rank.toLocaleString("en"));
      await expect(page.getByText(score.toLocaleString("en")).first()).toBeVisible();
      await expect(page.getByRole("table").getByRole("row")).not.toHaveCount(0);
      await expectSound(page);
    });

    test("nowhere, and nobody", ANYWHERE, async ({ page, stack }) => {
      await page.goto(`${stack.url}/nowhere`);
      await expect(page.getByRole("heading", { name: "Nothing here" })).toBeVisible();
      await expectSound(page);
      await page.goto(`${stack.url}/players/999999999`);
      await expect(page.getByRole("heading", { name: "There is no such player." })).toBeVisible();
      await page.goto(`${stack.url}/boards/none`);
      await expect(page.getByRole("heading", { name: "There is no such board." })).toBeVisible();
      await expect(page.getByTestId("connection")).toBeHidden();
      await expect(page.getByText(/still live/)).toBeHidden();
      await page.getByRole("link", { name: "Go to the board" }).click();
      await expect(page.getByRole("table")).toBeVisible();
    });
  });
}

test.describe("on a phone", () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true });

  test("my rank is a bar at the bottom that opens as a sheet with the form", async ({
    page,
    stack,
  }) => {
    const userId = await stack.api.createUser(`Pocket ${Date.now()}`);
    await as(page, userId);
    await openBoard(page, stack);
    const bar = page.getByRole("button", { name: "Open your rank and the score form" });
    await expect(bar).toContainText("Not ranked yet");
    await bar.tap();
    const sheet = page.getByRole("dialog");
    await sheet.getByLabel("Score", { exact: true }).fill("4200");
    await sheet.getByRole("button", { name: "Send score" }).tap();
    await expect(sheet.getByText(/^Counted/)).toBeVisible();
    await expectSound(page);
    await page.keyboard.press("Escape");
    await expect(sheet).toBeHidden();
    const { rank } = await stack.api.rank(userId);
    await expect(bar).toContainText(String(rank));
  });
});

test("a player is found by name, with the keyboard", async ({ page, crowd }) => {
  await openBoard(page, crowd);
  const search = page.getByRole("combobox", { name: "Find a player" });
  await search.fill("player 4321");
  await expect(page.getByRole("option").first()).toContainText("Player 4321");
  await search.press("Enter");
  await expect(page).toHaveURL(/\/players\/4321$/);
  await expect(page).toHaveTitle("Player 4321 · Leaderboard");
  // Half a name, and away: nothing is chosen by that.
  await search.fill("player 77");
  await expect(page.getByRole("option").first()).toBeVisible();
  await search.press("Tab");
  await expect(page).toHaveURL(/\/players\/4321$/);
  await search.fill("player");
  await expect(page.getByRole("option")).toHaveCount(8);
  await expectSound(page);
  await search.fill("nobody is called this");
  await expect(page.getByText("Nobody here is called nobody is called this")).toBeVisible();
  await expectSound(page);
});

test("a player's graph and games grow with what is played", ANYWHERE, async ({ page, stack }) => {
  const userId = await stack.api.createUser(`Grows ${Date.now()}`);
  for (let game = 1; game <= 25; game += 1) {
    await stack.api.submit(userId, game * 1_000, { game_mode: "blitz", won: game % 2 === 0 });
  }
  await page.goto(`${stack.url}/players/${userId}`);
  await expect(page.getByRole("heading", { name: "Games" })).toBeVisible();
  await page.getByLabel("Score", { exact: true }).check();
  await expect(page.getByRole("img", { name: /^Score from .* to 325,000$/ })).toBeVisible();
  const rows = page.getByRole("row").filter({ hasText: "blitz" });
  await expect(rows).toHaveCount(20);
  await page.getByRole("button", { name: "Show more games" }).click();
  await expect(rows).toHaveCount(25);
  await expect(page.getByRole("button", { name: "Show more games" })).toBeHidden();
});

test("names of all kinds neither break nor overflow", async ({ page, stack }) => {
  const names = [
    "W".repeat(32),
    "محمد بن راشد آل مكتوم",
    "漢字かな交じり文の長い名前はどうなるのだろうか",
    "👩‍🚀 Zoë ❤️".normalize("NFC"),
    '<b>bold</b> & "quoted"',
  ];
  const made: string[] = [];
  for (const [at, name] of names.entries()) {
    const answer = await fetch(`${stack.url}/api/users`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ username: name }),
    });
    // Invisible joiners are refused by the service, which is its right.
    if (answer.status === 422) continue;
    const { user_id: userId } = await answer.json();
    await stack.api.submit(userId, 900_000_000_000_000 + at);
    made.push(name);
  }
  expect(made.length).toBeGreaterThanOrEqual(4);
  for (const viewport of SIZES) {
    await page.setViewportSize(viewport);
    await openBoard(page, stack);
    for (const name of made) await expect(page.getByTitle(name, { exact: true })).toBeAttached();
    await expectSound(page);
  }
});

test("a player's page is loaded before somebody asks for it", ANYWHERE, async ({ page, stack }) => {
  const ahead = page.waitForResponse(/\/PlayerPage-[\w-]+\.js$/);
  await openBoard(page, stack);
  expect((await ahead).ok()).toBe(true);
});
