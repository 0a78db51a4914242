import { expect, test } from "vitest";
import { uniqueKey } from "./uniqueKey";

test("128 bits in hex, never the same", () => {
  const keys = Array.from({ length: 2_000 }, uniqueKey);
  expect(keys.every((key) => /^[0-9a-f]{32}$/.test(key))).toBe(true);
  expect(new Set(keys).size).toBe(keys.length);
});
