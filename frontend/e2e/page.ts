import AxeBuilder from "@axe-core/playwright";
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

/** Waits for what fades or glides: until then it has neither its place nor its contrast. */
async function atRest(page: Page): Promise<void> {
  const moving = () =>
    page.evaluate(() => {
      const isMoving = ({ playState, effect }: Animation) =>
        playState === "running" && effect?.getComputedTiming().endTime !== Number.POSITIVE_INFINITY;
      return document.getAnimations().filter(isMoving).length;
    });
  await expect.poll(moving).toBe(0);
}

/** What is wider than its room: an element that scrolls sideways, or a number that is cut. */
export const misfits = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const wide = [...document.querySelectorAll("*")].filter((each) => {
      const { overflowX } = getComputedStyle(each);
      const scrolls =
        overflowX === "auto" || overflowX === "scroll" || each === document.documentElement;
      return scrolls && each.scrollWidth > each.clientWidth && each.clientWidth > 20;
    });
    const cut = [...document.querySelectorAll(".numeral")].filter((each) => {
      const { right, left, width } = each.getBoundingClientRect();
      return (
        width > 1 &&
        (right > innerWidth + 1 ||
          left < -1 ||
          (each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).display !== "inline"))
      );
    });
    return [...wide, ...cut].map((each) => each.outerHTML.slice(0, 160));
  });

/** Expects that axe finds nothing on the page, and that nothing is wider than its room. */
export async function expectSound(page: Page, withoutRules: string[] = []): Promise<void> {
  await atRest(page);
  const violations = async () => {
    const report = await new AxeBuilder({ page }).disableRules(withoutRules).analyze();
    return report.violations.map(({ id, nodes }) => [id, nodes.map((each) => each.html)]);
  };
  // The page lives on while axe reads it: what is wrong for good is wrong the second time, too.
  // No poll: on a busy machine one reading may take longer than a poll may.
  const found = await violations();
  expect(found.length === 0 ? found : await violations()).toEqual([]);
  await expect.poll(() => misfits(page)).toEqual([]);
}
