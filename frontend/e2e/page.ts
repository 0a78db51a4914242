import { expect, type Locator, type Page } from "@playwright/test";
import type { Stack } from "./stack";

/** From now on this browser is that player, as if it had been picked before. */
export async function as(page: Page, userId: number): Promise<void> {
  await page.addInitScript((user_id) => {
    const state = { player: { user_id, username: "" }, gameMode: "ranked" };
    localStorage.setItem("leaderboard.session", JSON.stringify({ state, version: 1 }));
  }, userId);
}

/** Opens the board, and waits until it is live. */
export async function openBoard(page: Page, stack: Stack, path = "/"): Promise<void> {
  await page.goto(stack.url + path);
  await expect(page.getByTestId("connection")).toContainText("Live");
  await expect(page.getByRole("table").getByRole("row").nth(1)).toBeAttached();
}

/** A player's row on the board. */
export const rowOf = (page: Page, userId: number): Locator =>
  page.getByRole("row").filter({ has: page.locator(`a[href$="/players/${userId}"]`) });
