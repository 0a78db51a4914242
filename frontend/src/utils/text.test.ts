import { expect, test } from "vitest";
import { ordinal, text } from "./text";

test.each([
  [1, "1st"],
  [2, "2nd"],
  [3, "3rd"],
  [4, "4th"],
  [11, "11th"],
  [12, "12th"],
  [13, "13th"],
  [21, "21st"],
  [22, "22nd"],
  [111, "111th"],
  [1_003, "1,003rd"],
  [1_000_012, "1,000,012th"],
])("%i is %s", (rank, said) => {
  expect(ordinal(rank)).toBe(said);
});

test("one is said otherwise than many", () => {
  expect(text.board.climbed(1)).toBe("climbed 1 place");
  expect(text.board.climbed(1_200)).toBe("climbed 1,200 places");
  expect(text.notices.severalPassedYou("Nova", 1)).toBe("\u2068Nova\u2069 and 1 other passed you");
  expect(text.notices.severalPassedYou("Nova", 2)).toBe("\u2068Nova\u2069 and 2 others passed you");
});
