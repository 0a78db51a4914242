import { expect, test } from "./fixtures";
import { rowOf } from "./page";
import { Stack } from "./stack";

test("an empty board invites; the first score makes it a board", async ({ page }) => {
  test.setTimeout(90_000);
  const stack = await Stack.start();
  try {
    await page.goto(stack.url);
    await expect(page.getByText("No scores yet. Be the first.")).toBeVisible();
    await expect(page.getByRole("button", { name: "Find me" })).toBeHidden();
    const first = await stack.api.createUser("First");
    await stack.api.submit(first, 10);
    await expect(rowOf(page, first)).toContainText("10");
    // The rows that came later know the pointer as those that were there from the start.
    const table = await page.getByRole("table").boundingBox();
    await page.mouse.move((table?.x ?? 0) + 300, (table?.y ?? 0) + 150);
    const second = await stack.api.createUser("Second");
    await stack.api.submit(second, 20);
    await expect(page.getByText(/Holding still/)).toBeVisible();
    await page.mouse.move(5, 5);
    await expect(rowOf(page, second)).toContainText("20");
  } finally {
    await stack.remove();
  }
});
