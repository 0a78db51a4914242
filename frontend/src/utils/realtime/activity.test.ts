import { expect, test } from "vitest";
import { entryOf, stateOf } from "../testing/board";
import { findHappening, findVisiblePasses } from "./activity";
import { type LiveState, NO_STATE } from "./liveState";

type Standing = [userId: number, score: number];

const ranked = (...standings: Standing[]): LiveState =>
  stateOf(...standings.map(([id, score], at) => entryOf(id, at + 1, { total_score: score })));

/** Players 1 to 12 with 1,200 to 100 points. */
const twelve = Array.from({ length: 12 }, (_, at): Standing => [at + 1, 1_200 - at * 100]);
const before = ranked(...twelve);

/** The same board after a player has another score; undefined: after they left. */
function rescored(userId: number, score?: number, ...more: Standing[]): LiveState {
  const others = twelve.filter(([id]) => id !== userId);
  const all = [...others, ...more, ...(score === undefined ? [] : [[userId, score] as Standing])];
  return ranked(...all.sort(([, a], [, b]) => b - a));
}

test("a new leader is told before all else", () => {
  expect(findHappening(before, rescored(12, 5_000))).toEqual({
    kind: "leader",
    userId: 12,
    username: "player 12",
  });
  expect(findHappening(before, rescored(2, 5_000))).toMatchObject({ kind: "leader", userId: 2 });
});

test("who comes among the first ten enters, from near and from out of sight", () => {
  const entered = { kind: "entered", userId: 11, username: "player 11", rank: 4 };
  expect(findHappening(before, rescored(11, 950))).toEqual(entered);
  const stranger = { kind: "entered", userId: 70, username: "player 70", rank: 8 };
  expect(findHappening(before, rescored(12, 100, [70, 550]))).toEqual(stranger);
});

test("who climbs within them rises by so many places", () => {
  expect(findHappening(before, rescored(8, 1_050))).toEqual({
    kind: "rose",
    userId: 8,
    username: "player 8",
    rank: 3,
    places: 5,
  });
});

test("nobody rises or enters because somebody else fell or left", () => {
  expect(findHappening(before, rescored(3, 150))).toBeNull();
  expect(findHappening(before, rescored(3))).toBeNull();
});

test("the one who scored is found behind those who were carried up", () => {
  // 2 leaves, and at the same time 9 passes 6 to 8.
  const after = rescored(2, undefined);
  const both = ranked(
    ...after.order
      .map((id): Standing => [id, id === 9 ? 750 : (after.entries.get(id)?.total_score ?? 0)])
      .sort(([, a], [, b]) => b - a),
  );
  expect(findHappening(before, both)).toMatchObject({ kind: "rose", userId: 9, rank: 5 });
});

test.each([
  ["the order is the same", before, { ...before, totalPlayers: 99 }],
  ["the board was empty or unknown", NO_STATE, before],
  ["a score changed no place", before, rescored(5, 801)],
  ["it is beyond the first ten", before, rescored(12, 250)],
])("no news when %s", (_, old, state) => {
  expect(findHappening(old, state)).toBeNull();
});

test("passes among the visible rows", () => {
  const passed = findVisiblePasses(before, rescored(8, 1_050), 6);
  expect(passed.passedMe.map((each) => each.username)).toEqual(["player 8"]);
  expect(findVisiblePasses(before, rescored(8, 1_050), 70)).toEqual({
    passedMe: [],
    passedByMe: [],
  });
});
