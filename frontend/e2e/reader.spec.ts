import { ANYWHERE, expect, type Page, test } from "./fixtures";
import { as, expectSound, misfits, openBoard, rowOf } from "./page";

const rank = (row: ReturnType<typeof rowOf>) => row.getByRole("cell").first();

/** The index of the first row that is wholly in sight. */
const topRow = (page: Page) =>
  page.evaluate(() => {
    const table = document.querySelector("[role=table]");
    const top = table?.getBoundingClientRect().top ?? 0;
    const rows = [...(table?.querySelectorAll("[data-index]") ?? [])];
    const seen = rows.filter((each) => each.getBoundingClientRect().top >= top - 1);
    return Math.min(...seen.map((each) => Number(each.getAttribute("data-index"))));
  });

test("the board opens in a browser with any languages", ANYWHERE, async ({ context, stack }) => {
  for (const languages of [["C"], ["en-US@posix"], [], ["ar-EG-u-nu-arab"]]) {
    const page = await context.newPage();
    const errors: string[] = [];
    page.on("pageerror", ({ message }) => errors.push(message));
    await page.addInitScript((given) => {
      Object.defineProperty(navigator, "languages", { get: () => given });
    }, languages);
    await openBoard(page, stack);
    await expect(page.locator("[data-index='0']")).toContainText(/\d/);
    await expect(page.getByTestId("vitals")).toContainText(/\d/);
    await expect(page.getByTestId("vitals")).not.toContainText(/[\u0660-\u0669]/);
    expect(errors).toEqual([]);
    await page.close();
  }
});

test("place and filter survive a player's page, a reload, Back and a link", async ({
  page,
  crowd,
}) => {
  await openBoard(page, crowd);
  const table = page.getByRole("table");
  await table.evaluate((element) => {
    element.scrollTop = 40_000 * 56 + 64;
  });
  await expect(page).toHaveURL(/rank=40001/);
  await expect(page.locator("[data-index='40004']")).toBeVisible();
  const before = await topRow(page);
  // A click anywhere on a row opens its player.
  const row = page.locator("[data-index='40004']");
  const player = await row.getAttribute("data-player");
  await row.getByRole("cell").last().click();
  await expect(page).toHaveURL(new RegExp(`/players/${player}$`));
  await page.reload();
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await page.goBack();
  await expect(page.locator("[data-index='40004']")).toBeVisible();
  await expect.poll(async () => Math.abs((await topRow(page)) - before)).toBeLessThanOrEqual(1);
  // The page's own way back leads there, too.
  await page.goForward();
  await page.getByRole("link", { name: "Back to the board" }).click();
  await expect(page.locator("[data-index='40004']")).toBeVisible();

  // Other rows begin with the first, whatever was in sight before.
  await page.getByLabel("Top 50", { exact: true }).check();
  await expect(page.locator("[data-index='4']")).toBeInViewport();
  await expect(page).toHaveURL(/view=top50$/);
  await page.reload();
  await expect(table).toHaveAttribute("aria-rowcount", "51");
});

test("the rows are one tab stop, with arrow keys within", async ({ page, crowd }) => {
  await openBoard(page, crowd);
  await page.getByLabel("Go to rank").focus();
  const isInRows = () =>
    page.evaluate(() => document.activeElement?.closest("[data-index]") != null);
  let stops = 0;
  for (let presses = 0; presses < 8; presses += 1) {
    await page.keyboard.press("Tab");
    stops += Number(await isInRows());
  }
  expect(stops).toBe(1);
  await page.locator("[data-index='0'] a").focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("PageDown");
  await expect(page.locator("[data-index='11'] a")).toBeFocused();
  const count = await page.getByRole("table").getAttribute("aria-rowcount");
  const last = page.locator(`[data-index='${Number(count) - 2}']`);
  await page.keyboard.press("End");
  await expect(last.locator("a")).toBeFocused();
  await expect(last).toBeInViewport({ ratio: 0.99 });
  await page.keyboard.press("Home");
  await expect(page.locator("[data-index='0'] a")).toBeFocused();
});

test("around me is centred, and stays so", async ({ page, crowd }) => {
  await as(page, 777);
  const off = async () => {
    const row = await rowOf(page, 777).boundingBox();
    const table = await page.getByRole("table").boundingBox();
    if (row === null || table === null) return Number.POSITIVE_INFINITY;
    return Math.abs(row.y + row.height / 2 - (table.y + table.height / 2));
  };
  for (const viewport of [
    { width: 390, height: 700 },
    { width: 1280, height: 720 },
    { width: 844, height: 390 },
  ]) {
    await page.setViewportSize(viewport);
    await openBoard(page, crowd, "/?view=around");
    await expect.poll(off).toBeLessThan(45);
  }
  const { rank: old, score } = await crowd.api.rank(777);
  const seen = await watchRow(page, 777);
  await crowd.api.submit(777, Math.ceil(score / 50));
  const { rank: now } = await crowd.api.rank(777);
  expect(now).toBeLessThan(old);
  await expect(rank(rowOf(page, 777))).toHaveText(now.toLocaleString("en"));
  // The new neighbours have come, and the row is in the middle of them.
  await expect(page.locator("[data-index='10']")).toHaveAttribute("data-player", "777");
  await expect.poll(off).toBeLessThan(45);
  // In between, the row was never out of sight, not even for a frame.
  expect(await seen()).toBe(1);
});

/** Watches a player's row from now on. Answers the least share of it that a frame had in sight. */
async function watchRow(page: Page, userId: number): Promise<() => Promise<number>> {
  const least = await page.evaluateHandle((id) => {
    const watched = { share: 1 };
    const look = () => {
      const row = document.querySelector(`[role=row][data-player='${id}']`);
      const table = row?.closest("[role=table]")?.getBoundingClientRect();
      const { top, bottom, height } = row?.getBoundingClientRect() ?? new DOMRect();
      const inSight = Math.min(bottom, table?.bottom ?? 0) - Math.max(top, table?.top ?? 0);
      watched.share = Math.min(watched.share, Math.max(0, inSight / Math.max(1, height)));
      requestAnimationFrame(look);
    };
    look();
    return watched;
  }, userId);
  return () => least.evaluate(({ share }) => Math.round(share * 100) / 100);
}

const SMALL = [
  { width: 320, height: 640 },
  { width: 320, height: 180 },
  { width: 844, height: 390 },
];

for (const forcedColors of ["none", "active"] as const) {
  test(`long names and scores fit small screens, with forced colours: ${forcedColors}`, async ({
    page,
    stack,
  }) => {
    await page.emulateMedia({ forcedColors });
    const userId = await stack.api.createUser(`${"W".repeat(18)} ${Date.now()}`);
    await stack.api.submit(userId, 8_007_199_254_740_000 + (Date.now() % 100_000));
    const { score } = await stack.api.rank(userId);
    // The longest score of all is the last one.
    const lowest = await stack.api.createUser(`${"m".repeat(18)} ${Date.now()}`);
    await stack.api.submit(lowest, -8_007_199_254_740_000 - (Date.now() % 100_000));
    const { rank: last, score: least } = await stack.api.rank(lowest);
    await as(page, userId);
    for (const viewport of SMALL) {
      await page.setViewportSize(viewport);
      await openBoard(page, stack);
      const inSight = page.locator("[data-index]").first();
      await expect(inSight).toBeInViewport({ ratio: 0.9 });
      await expect(rowOf(page, userId)).toContainText(score.toLocaleString("en"));
      await expect.poll(() => misfits(page)).toEqual([]);
      await page.getByLabel("Go to rank").fill(`${last}`);
      await page.keyboard.press("Enter");
      await expect(rowOf(page, lowest)).toContainText(least.toLocaleString("en"));
      await expect.poll(() => misfits(page)).toEqual([]);
      for (const [id, shown] of [
        [lowest, least],
        [userId, score],
      ] as const) {
        await page.goto(`${stack.url}/players/${id}`);
        await expect(page.getByText(shown.toLocaleString("en")).first()).toBeVisible();
        await expect(page.getByRole("heading", { name: "Around this player" })).toBeVisible();
        await expect.poll(() => misfits(page)).toEqual([]);
      }
      if (viewport.width !== 320 || viewport.height < 300) continue;
      // Where colours are forced, contrast is the system's affair.
      const withoutRules = forcedColors === "active" ? ["color-contrast"] : [];
      await expectSound(page, withoutRules);
      await openBoard(page, stack);
      await expectSound(page, withoutRules);
    }
  });
}

test("a chosen filter is seen in forced colours", ANYWHERE, async ({ page, stack }) => {
  await page.emulateMedia({ forcedColors: "active" });
  await openBoard(page, stack);
  const look = (name: string) =>
    page
      .locator("label")
      .filter({ has: page.getByRole("radio", { name, exact: true }) })
      .evaluate((each) => getComputedStyle(each).backgroundColor);
  await expect.poll(async () => (await look("All")) !== (await look("Top 10"))).toBe(true);
});

test("a device whose clock is an hour off shows right ages", ANYWHERE, async ({ page, stack }) => {
  await page.addInitScript(() => {
    const real = Date.now;
    Date.now = () => real() + 3_600_000;
  });
  const userId = await stack.api.createUser(`Clock ${Date.now()}`);
  await stack.api.submit(userId, 40_000_000 + (Date.now() % 10_000));
  await openBoard(page, stack);
  await page.getByLabel("Go to rank").fill(`${(await stack.api.rank(userId)).rank}`);
  await page.keyboard.press("Enter");
  await expect(rowOf(page, userId).locator("time")).toHaveText(/^(now|1 min)/);
});

test(
  "a browser that believes to be offline is no reason to stop",
  ANYWHERE,
  async ({ page, stack }) => {
    await page.addInitScript(() => {
      Object.defineProperty(navigator, "onLine", { get: () => false });
    });
    await openBoard(page, stack);
    await page.evaluate(() => dispatchEvent(new Event("offline")));
    await page.locator("[data-index='5']").click();
    await expect(page.getByTestId("player-rank")).toContainText(/\d/);
    await expect(page.getByTestId("connection")).toContainText("Live");
  },
);

test("a tablet that turns keeps what was typed", ANYWHERE, async ({ page, stack }) => {
  await as(page, await stack.api.createUser(`Turns ${Date.now()}`));
  await page.setViewportSize({ width: 1100, height: 800 });
  await openBoard(page, stack);
  await page.getByLabel("Score", { exact: true }).fill("4711");
  await page.setViewportSize({ width: 800, height: 1100 });
  await page.getByRole("button", { name: "Open your rank and the score form" }).click();
  await expect(page.getByLabel("Score", { exact: true })).toHaveValue("4711");
});

test("while scores come in, nothing shifts", ANYWHERE, async ({ page, stack }) => {
  await page.addInitScript(() => {
    const shifts: object[] = [];
    Object.assign(window, { shifts });
    new PerformanceObserver((list) => {
      for (const each of list.getEntries()) {
        const { value, hadRecentInput, sources } = each as unknown as {
          value: number;
          hadRecentInput: boolean;
          sources: { node: Node | null }[];
        };
        const what = sources.map(({ node }) => node?.textContent?.slice(0, 40));
        if (!hadRecentInput && value > 0.002) shifts.push({ value, at: each.startTime, what });
      }
    }).observe({ type: "layout-shift", buffered: true });
  });
  const made = await Promise.all(
    [1, 2, 3, 4].map((each) => stack.api.createUser(`Shift ${each} ${Date.now()}`)),
  );
  const [me = 0] = made;
  await stack.api.submit(me, 100_000);
  await as(page, me);
  await openBoard(page, stack);
  await expect(page.getByTestId("my-rank")).toBeVisible();
  for (let game = 1; game <= 24; game += 1) {
    await stack.api.submit(made[game % 4] ?? 0, game * 90_000);
    await page.waitForTimeout(60);
  }
  // The last score has arrived: my rank is the one that the service tells.
  const told = (await stack.api.rank(me)).rank.toLocaleString("en-US");
  await expect(page.getByTestId("my-rank")).toContainText(told);
  expect(await page.evaluate(() => Reflect.get(window, "shifts"))).toEqual([]);
});

test("players are found by parts of their names, with rank and score", async ({ page, stack }) => {
  const name = `Iron Raccoon ${Date.now()}`;
  const userId = await stack.api.createUser(name);
  await stack.api.submit(userId, 1_234_567);
  const { rank: at } = await stack.api.rank(userId);
  await openBoard(page, stack);
  await page.getByRole("combobox", { name: "Find a player" }).fill(name.slice(5).toLowerCase());
  const option = page.getByRole("option", { name });
  await expect(option).toContainText(`Rank ${at}`);
  await expect(option).toContainText("1,234,567");
});
