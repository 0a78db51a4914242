import { expect, test } from "vitest";
import { entryOf } from "../testing/board";
import { findPasses } from "./passes";

const ME = 7;
/** A look at the players in this order, from a rank on. */
const look = (from: number, ...ids: number[]) => ids.map((id, at) => entryOf(id, from + at));
const passes = (before: ReturnType<typeof look>, after: ReturnType<typeof look>) => {
  const { passedMe, passedByMe } = findPasses(before, after, ME);
  return {
    passedMe: passedMe.map((each) => each.user_id),
    passedByMe: passedByMe.map((each) => each.user_id),
  };
};

test("who passed me, nearest first", () => {
  expect(passes(look(50, 1, ME, 2, 3, 4), look(50, 3, 1, 2, ME, 4))).toEqual({
    passedMe: [2, 3],
    passedByMe: [],
  });
});

test("whom I passed, nearest first", () => {
  expect(passes(look(50, 1, 2, 3, ME, 4), look(50, 1, ME, 3, 2, 4))).toEqual({
    passedMe: [],
    passedByMe: [3, 2],
  });
});

test("both at once, though my rank stays the same", () => {
  expect(passes(look(50, 1, ME, 2), look(50, 2, ME, 1))).toEqual({
    passedMe: [2],
    passedByMe: [1],
  });
});

test.each([
  ["I wasn't there before", look(50, 1, 2), look(50, 1, ME, 2)],
  ["I am not there now", look(50, 1, ME, 2), look(50, 1, 2)],
  ["others come from where nobody looked", look(50, 1, ME), look(51, 5, 6, ME)],
  ["others left", look(50, 1, 2, ME), look(48, ME)],
  ["everybody was pushed down alike", look(50, 1, ME, 2), look(53, 1, ME, 2)],
  ["others change places among themselves", look(50, 1, 2, ME, 3, 4), look(50, 2, 1, ME, 4, 3)],
])("nothing is told when %s", (_, before, after) => {
  expect(passes(before, after)).toEqual({ passedMe: [], passedByMe: [] });
});
