import { expect, test } from "./fixtures";
import { as, openBoard, rowOf } from "./page";

test("a new player joins, sends a score and stands on the board", async ({ page, stack }) => {
  const name = `Ünï 星 ${Date.now()}`;
  await openBoard(page, stack);
  await page.getByRole("combobox", { name: "Your name" }).fill(name);
  await page.getByRole("option", { name: `Join as ${name}` }).click();
  await expect(page.getByText("Not ranked yet")).toBeVisible();
  await page.getByLabel("Score", { exact: true }).fill("123456");
  await page.getByLabel("Duration").fill("1:33");
  await page.getByText("More", { exact: true }).click();
  await page.getByLabel("Won").check();
  await page.getByRole("button", { name: "Send score" }).click();
  await expect(page.getByText(/^Counted\. You're/)).toBeVisible();
  const found = await (
    await fetch(`${stack.url}/api/users?username=${encodeURIComponent(name)}`)
  ).json();
  const { user_id: userId } = found.users[0];
  const { rank } = await stack.api.rank(userId);
  await expect(page.getByTestId("my-rank")).toContainText(String(rank));
  await page.getByRole("button", { name: "Find me" }).click();
  await expect(rowOf(page, userId)).toContainText("123,456");
  const games = await (await fetch(`${stack.url}/api/users/${userId}/sessions`)).json();
  expect(games.sessions).toMatchObject([{ score: 123_456, duration_ms: 93_000, won: true }]);

  // This device remembers.
  await page.reload();
  await expect(page.getByTestId("my-rank")).toContainText(String(rank));
});

test("a name that is taken is offered, not made twice", async ({ page, stack }) => {
  const name = `Taken ${Date.now()}`;
  const userId = await stack.api.createUser(name);
  await openBoard(page, stack);
  await page.getByRole("combobox", { name: "Your name" }).fill(name.toUpperCase());
  await expect(page.getByRole("option")).toHaveText([name]);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("link", { name, exact: true })).toHaveAttribute(
    "href",
    `/players/${userId}`,
  );
});

test("bad input is told at its field while it is typed, and nothing is sent", async ({
  page,
  stack,
}) => {
  await as(page, await stack.api.createUser(`Typo ${Date.now()}`));
  await openBoard(page, stack);
  const posts: string[] = [];
  page.on("request", (each) => each.method() === "POST" && posts.push(each.url()));
  const score = page.getByLabel("Score", { exact: true });
  for (const [typed, says] of [
    ["1.5", "Enter a whole number."],
    ["abc", "Enter a whole number."],
    ["9007199254740992", "At most 9,007,199,254,740,991."],
    ["-9007199254740992", "At least -9,007,199,254,740,991."],
  ] as const) {
    await score.fill(typed);
    await expect(score).toHaveAccessibleDescription(says);
    await expect(score).toHaveAttribute("aria-invalid", "true");
  }
  await score.fill("10");
  await expect(score).toHaveAttribute("aria-invalid", "false");
  await page.getByLabel("Game mode").fill("no spaces");
  await page.getByLabel("Duration").fill("soon");
  await page.getByText("More", { exact: true }).click();
  await page.getByLabel("Metadata (JSON)").fill("[1]");
  await page.getByRole("button", { name: "Send score" }).click();
  await expect(page.getByLabel("Game mode")).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByLabel("Duration")).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByLabel("Metadata (JSON)")).toHaveAttribute("aria-invalid", "true");
  expect(posts).toEqual([]);
});

test("what only the service can know is told by it, at its field", async ({ page, stack }) => {
  const userId = await stack.api.createUser(`Edge ${Date.now()}`);
  await stack.api.submit(userId, 9_007_199_254_740_991);
  await as(page, userId);
  await openBoard(page, stack);
  await page.getByLabel("Score", { exact: true }).fill("1");
  await page.getByRole("button", { name: "Send score" }).click();
  await expect(page.getByText(/total would become/)).toBeVisible();
  await stack.api.submit(userId, -9_007_199_254_740_991);

  await page.getByText("More", { exact: true }).click();
  const metadata = page.getByLabel("Metadata (JSON)");
  await metadata.fill(String.raw`{"a": "\u0000"}`);
  await page.getByRole("button", { name: /Send score|Try again/ }).click();
  await expect(metadata).toHaveAccessibleDescription(/U\+0000/);
});

test("numbers in metadata arrive digit for digit", async ({ page, stack }) => {
  const userId = await stack.api.createUser(`Exact ${Date.now()}`);
  await as(page, userId);
  await openBoard(page, stack);
  await page.getByLabel("Score", { exact: true }).fill("1");
  await page.getByText("More", { exact: true }).click();
  await page
    .getByLabel("Metadata (JSON)")
    .fill('{"id": 12345678901234567890, "far": 1e30, "near": 0.1000000000000000055, "was": 0.10}');
  await page.getByRole("button", { name: "Send score" }).click();
  await expect(page.getByText(/^Counted/)).toBeVisible();
  const games = await (await fetch(`${stack.url}/api/users/${userId}/sessions`)).text();
  expect(games).toContain('"id": 12345678901234567890');
  expect(games).toContain(`"far": 1${"0".repeat(30)}`);
  expect(games).toContain('"near": 0.1000000000000000055');
  expect(games).toContain('"was": 0.10');
});

test("a double click counts once", async ({ page, stack }) => {
  const userId = await stack.api.createUser(`Twice ${Date.now()}`);
  await as(page, userId);
  await openBoard(page, stack);
  await page.getByLabel("Score", { exact: true }).fill("700");
  await page.getByRole("button", { name: "Send score" }).dblclick();
  await expect(page.getByText(/^Counted/)).toBeVisible();
  expect(await stack.api.rank(userId)).toMatchObject({ score: 700 });
  const games = await (await fetch(`${stack.url}/api/users/${userId}/sessions`)).json();
  expect(games.sessions).toHaveLength(1);
});

test("a score whose answer was lost is sent again and counts once", async ({ page, stack }) => {
  const userId = await stack.api.createUser(`Lost ${Date.now()}`);
  await as(page, userId);
  await openBoard(page, stack);
  const keys: (string | undefined)[] = [];
  const told = page.getByText(/Trying again/);
  // The service really gets it and really answers; only the answer gets lost on its way.
  await page.route("**/submit", async (route) => {
    keys.push(route.request().headers()["idempotency-key"]);
    if (keys.length > 2) {
      await expect(told).toBeVisible();
      return route.continue();
    }
    await route.fetch();
    return route.abort("connectionreset");
  });
  await page.getByLabel("Score", { exact: true }).fill("800");
  await page.getByRole("button", { name: "Send score" }).click();
  await expect(page.getByText(/counted already/)).toBeVisible();
  expect(new Set(keys).size).toBe(1);
  expect(await stack.api.rank(userId)).toMatchObject({ score: 800 });
});

test("a score without an answer outlives the page, is sent on return, and counts once", async ({
  page,
  stack,
}) => {
  const userId = await stack.api.createUser(`Outbox ${Date.now()}`);
  await as(page, userId);
  await openBoard(page, stack);
  let reached = 0;
  // The service gets the first one and counts it. Its answer is lost, and so is the network.
  await page.route("**/submit", async (route) => {
    reached += 1;
    if (reached === 1) await route.fetch();
    return route.abort("connectionreset");
  });
  await page.getByLabel("Score", { exact: true }).fill("900");
  await page.getByRole("button", { name: "Send score" }).click();
  await expect(page.getByText(/The score is kept here/)).toBeVisible();
  await expect(page.getByLabel("Score", { exact: true })).toHaveValue("");
  await page.unroute("**/submit");
  await page.reload();
  await expect(page.getByText("Your score 900 was counted").first()).toBeAttached();
  expect(await stack.api.rank(userId)).toMatchObject({ score: 900 });
  const games = await (await fetch(`${stack.url}/api/users/${userId}/sessions`)).json();
  expect(games.sessions).toHaveLength(1);
});
