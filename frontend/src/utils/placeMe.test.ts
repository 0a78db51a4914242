import { expect, test } from "vitest";
import { placeMe, rowAt } from "./placeMe";
import { entryOf } from "./testing/board";

const ME = 7;
const list = (from: number, ids: number[]) => ids.map((id, at) => entryOf(id, from + at));
const shown = (entries: readonly { user_id: number; rank: number }[]) =>
  entries.map(({ user_id, rank }) => [rank, user_id]);

test.each([
  [
    12,
    [
      [11, 1],
      [12, ME],
      [13, 2],
      [14, 3],
      [15, 4],
    ],
  ],
  [
    15,
    [
      [11, 1],
      [12, 2],
      [13, 3],
      [14, 4],
      [15, ME],
    ],
  ],
  [
    14,
    [
      [11, 1],
      [12, 2],
      [13, 3],
      [14, ME],
      [15, 4],
    ],
  ],
  [
    5,
    [
      [5, ME],
      [12, 1],
      [13, 2],
      [14, 3],
      [15, 4],
    ],
  ],
  [
    90,
    [
      [11, 1],
      [12, 2],
      [13, 3],
      [14, 4],
      [90, ME],
    ],
  ],
])("with me at rank %i everybody stands in one place", (rank, expected) => {
  const entries = list(11, [1, 2, 3, ME, 4]);
  const mine = { userId: ME, rank, score: 999 };
  expect(shown(placeMe(entries, mine))).toEqual(expected);
  const me = entries.find((each) => each.user_id === ME);
  const rows = [11, 12, 13, 14, 15].map((each) =>
    rowAt(each, (asked) => entries.find((entry) => entry.rank === asked), me, mine),
  );
  for (const each of rows.filter((row) => row?.user_id === ME)) {
    expect(each).toMatchObject({ rank, total_score: rank === 14 ? 986 : 999 });
  }
  for (const [index, row] of rows.entries()) expect(row?.rank ?? 11 + index).toBe(11 + index);
  const ids = rows.flatMap((each) => each?.user_id ?? []);
  expect(new Set(ids).size).toBe(ids.length);
});

test("a list without me, or with me where I am, is left as it is", () => {
  const entries = list(1, [1, 2]);
  expect(placeMe(entries, { userId: ME, rank: 2, score: null })).toBe(entries);
  expect(placeMe(entries, null)).toBe(entries);
  expect(placeMe(entries, { userId: 2, rank: 2, score: null })).toBe(entries);
});
