import { test as base } from "@playwright/test";
import { Stack } from "./stack";

export { expect, type Page } from "@playwright/test";

/**
 * Tests that run against any service, also a closed one that others have used: with its address
 * in E2E_URL and a key in E2E_KEY, `npx playwright test --grep @anywhere`.
 */
export const ANYWHERE = { tag: "@anywhere" };
const { E2E_URL, E2E_KEY = "" } = process.env;

interface Stacks {
  /** Twenty-four players. Tests add their own, and see what those before them did. */
  stack: Stack;
  /** A hundred thousand players, ready within seconds. */
  crowd: Stack;
}

/** Playwright's `test`, with real services that are started when a test asks for them. */
// biome-ignore lint/complexity/noBannedTypes: Playwright's way to say "nothing for each test"
export const test = base.extend<{}, Stacks>({
  stack: [provide(24), { scope: "worker", timeout: 90_000 }],
  crowd: [provide(100_000), { scope: "worker", timeout: 120_000 }],
});

function provide(players: number) {
  // biome-ignore lint/correctness/noEmptyPattern: Playwright reads here that it needs no fixtures
  return async ({}, use: (stack: Stack) => Promise<void>): Promise<void> => {
    if (E2E_URL !== undefined) return use(Stack.at(E2E_URL, E2E_KEY));
    const stack = await Stack.start({ players });
    try {
      await use(stack);
    } finally {
      await stack.remove();
    }
  };
}
