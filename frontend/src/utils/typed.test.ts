import { expect, test } from "vitest";
import { readRank, toAscii } from "./typed";

test.each([
  ["12", 12],
  [" 1,204 ", 1_204],
  ["1 204", 1_204],
  ["1’204’999", 1_204_999],
  ["#7", 7],
  ["3rd", 3],
  ["１２", 12],
  ["٤٢", 42],
  ["۴۲", 42],
])("%j is the rank %i", (typed, rank) => {
  expect(readRank(typed)).toBe(rank);
});

test.each(["-1", "1e2", "1.5", "", "ten", "12,3", "0x10", "1-2", "１e２"])(
  "%j is no rank",
  (typed) => {
    expect(readRank(typed)).toBeNull();
  },
);

test("digits and signs of other scripts are read", () => {
  expect(["−５", "१२३", "๙", "1:３３"].map(toAscii)).toEqual(["-5", "123", "9", "1:33"]);
});
