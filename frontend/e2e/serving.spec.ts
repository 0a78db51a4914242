import { ANYWHERE, expect, test } from "./fixtures";

test("the page loads, has its title and breaks nothing", ANYWHERE, async ({ page, stack }) => {
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("response", (each) => {
    if (each.status() >= 400) errors.push(`${each.status()} ${each.url()}`);
  });
  await page.goto(stack.url);
  await expect(page).toHaveTitle(/Leaderboard/);
  await expect(page.locator("#root")).not.toBeEmpty();
  expect(errors).toEqual([]);
});

test("links into the app work, also with curl", ANYWHERE, async ({ stack }) => {
  const first = await (await fetch(stack.url)).text();
  for (const path of ["/players/1", "/boards/global", "/boards/global/players/1"]) {
    const answer = await fetch(stack.url + path);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe(first);
  }
});

test("what is nowhere is 404, as a page and as a problem", ANYWHERE, async ({ page, stack }) => {
  const shown = await page.goto(`${stack.url}/nowhere`);
  expect(shown?.status()).toBe(404);
  await expect(page.locator("#root")).not.toBeEmpty();

  for (const [path, accept] of [
    ["/nowhere", "*/*"],
    ["/assets/gone.js", "*/*"],
    ["/api/nowhere", "text/html"],
  ] as const) {
    const answer = await fetch(stack.url + path, { headers: { accept } });
    expect(answer.status).toBe(404);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
  }
});

test(
  "scripts are compressed and kept, the page is asked for again",
  ANYWHERE,
  async ({ page, stack }) => {
    const kept = new Map<string, Record<string, string>>();
    page.on("response", (each) => kept.set(new URL(each.url()).pathname, each.headers()));
    await page.goto(stack.url);
    expect(kept.get("/")).toMatchObject({ "cache-control": "no-cache" });
    const scripts = [...kept].filter(([path]) => path.endsWith(".js"));
    expect(scripts.length).toBeGreaterThan(0);
    for (const [, headers] of scripts) {
      expect(headers["cache-control"]).toBe("public, max-age=31536000, immutable");
      expect(["br", "gzip"]).toContain(headers["content-encoding"]);
    }
  },
);

test(
  "everything that the page's head and the manifest name is there",
  ANYWHERE,
  async ({ stack }) => {
    const page = await (await fetch(stack.url)).text();
    const manifest = await (await fetch(`${stack.url}/manifest.webmanifest`)).json();
    const named = [
      ...[...page.matchAll(/(?:href|src|content)="(\/[^"]+)"/g)].map(([, path]) => path),
      ...manifest.icons.map(({ src }: { src: string }) => src),
    ];
    expect(named.length).toBeGreaterThan(7);
    for (const path of named) expect((await fetch(stack.url + path)).status, path).toBe(200);
  },
);

test(
  "the API's documentation works without anybody else's servers",
  ANYWHERE,
  async ({ page, stack }) => {
    const wrong: string[] = [];
    page.on("console", (said) => said.type() === "error" && wrong.push(said.text()));
    page.on("pageerror", (error) => wrong.push(error.message));
    page.on("request", (each) => {
      const url = each.url();
      if (!url.startsWith(stack.url) && !url.startsWith("data:")) wrong.push(url);
    });
    await page.goto(`${stack.url}/docs`);
    await page.getByRole("button", { name: "GET /api/leaderboard/top Top" }).click();
    await page.getByRole("button", { name: "Try it out" }).click();
    await page.getByRole("button", { name: "Execute" }).click();
    await expect(page.getByText('"total_players"').first()).toBeVisible();
    expect(wrong).toEqual([]);
  },
);
