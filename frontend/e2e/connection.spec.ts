import { ANYWHERE, expect, type Page, test } from "./fixtures";
import { as, openBoard, rowOf } from "./page";

/** Notes what the page's sockets are opened with and hear. */
function listen(page: Page): { url: string; types: string[] }[] {
  const sockets: { url: string; types: string[] }[] = [];
  page.on("websocket", (socket) => {
    const heard = { url: socket.url(), types: [] as string[] };
    sockets.push(heard);
    socket.on("framereceived", ({ payload }) => heard.types.push(JSON.parse(`${payload}`).type));
  });
  return sockets;
}

test("a server that restarts: the badge says so and comes back, without a reload", async ({
  page,
  stack,
}) => {
  const userId = await stack.api.createUser(`Stays ${Date.now()}`);
  await stack.api.submit(userId, 60_000_000);
  await as(page, userId);
  await openBoard(page, stack);
  await page.evaluate(() => {
    document.body.dataset["mark"] = "the same page";
  });
  const badge = page.getByTestId("connection");
  await stack.stop();
  await expect(badge).toContainText("Reconnecting");
  await expect(badge).toContainText("As of");
  // What was known stays on screen.
  await expect(rowOf(page, userId)).toContainText("60,000,000");
  await stack.restart();
  await expect(badge).toContainText("Live", { timeout: 20_000 });
  await stack.api.submit(userId, 1);
  await expect(rowOf(page, userId)).toContainText("60,000,001");
  expect(await page.evaluate(() => document.body.dataset["mark"])).toBe("the same page");
});

test(
  "after a lost network the socket resumes, and nothing is missing",
  ANYWHERE,
  async ({ page, context, stack }) => {
    const [me, other] = await Promise.all([
      stack.api.createUser(`Traveller ${Date.now()}`),
      stack.api.createUser(`Home ${Date.now()}`),
    ]);
    await stack.api.submit(me, 70_000_000);
    await as(page, me);
    const sockets = listen(page);
    await openBoard(page, stack);
    await expect(rowOf(page, me)).toContainText("70,000,000");
    await context.setOffline(true);
    await expect(page.getByTestId("connection")).toContainText("Offline");
    await stack.api.submit(other, 80_000_000);
    await stack.api.submit(me, 1);
    await context.setOffline(false);
    await expect(page.getByTestId("connection")).toContainText("Live");
    await expect(rowOf(page, other)).toContainText("80,000,000");
    await expect(rowOf(page, me)).toContainText("70,000,001");
    const { rank } = await stack.api.rank(me);
    await expect(page.getByTestId("my-rank")).toContainText(String(rank));
    const last = sockets.at(-1);
    expect(last?.url).toMatch(/since=\d+&epoch=/);
    expect(last?.types[0]).toBe("update");
    expect(last?.types).not.toContain("snapshot");
  },
);

test(
  "what could not be loaded is there once the service is back, without a press",
  ANYWHERE,
  async ({ page, stack }) => {
    let isAway = true;
    await page.route("**/api/**", (route) => (isAway ? route.abort() : route.continue()));
    await page.routeWebSocket(/\/ws\//, (socket) => {
      if (isAway) void socket.close();
      else socket.connectToServer();
    });
    await page.goto(`${stack.url}/players/7`);
    await expect(page.getByText("The board could not be loaded.")).toBeVisible();
    isAway = false;
    await expect(page.getByTestId("player-rank")).toBeVisible();
    await expect(page.getByRole("heading", { name: "Games" })).toBeVisible();
  },
);

test(
  "a player whom the service does not know is forgotten, and the board goes on",
  ANYWHERE,
  async ({ page, stack }) => {
    await as(page, 999_999_999);
    await openBoard(page, stack);
    await expect(page.getByText("Who are you?")).toBeVisible();
  },
);
