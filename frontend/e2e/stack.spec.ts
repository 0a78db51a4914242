import { expect, test } from "./fixtures";
import { Stack } from "./stack";

// What all other tests stand on.

test("a stack keeps what was sent to it, also when it is killed", async () => {
  const stack = await Stack.start({ players: 3 });
  try {
    const nova = await stack.api.createUser("Nova");
    const { new_rank } = await stack.api.submit(nova, 5_000_000);
    expect(new_rank).toBe(1);
    const { results } = await stack.api.submitBatch([{ user_id: nova, score: 1 }]);
    expect(results[0]?.status).toBe("accepted");
    const { url } = stack;

    await stack.kill();
    await expect(fetch(url)).rejects.toThrow();
    await stack.restart();

    expect(stack.url).toBe(url);
    expect((await stack.api.top(1)).entries[0]).toMatchObject({ user_id: nova, games_played: 2 });
    expect(await stack.api.rank(nova)).toMatchObject({ rank: 1, score: 5_000_001 });
  } finally {
    await stack.remove();
  }
});

test("a crowd is a hundred thousand players, and its first page loads", async ({ page, crowd }) => {
  expect((await crowd.api.top(1)).total_players).toBe(100_000);
  await page.goto(crowd.url);
  await expect(page.locator("#root")).not.toBeEmpty();
});
