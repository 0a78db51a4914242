import { describe, expect, test } from "vitest";
import type { Entry } from "../api/types";
import { advance, entryOf, seeded, snapshotOf, stateOf, updateOf } from "../testing/board";
import type { OwnEntry, RankFrame, UpdateFrame } from "./frames";
import { applyFrame, GAP, NO_STATE } from "./liveState";

const [first, second, third] = [entryOf(1, 1), entryOf(2, 2), entryOf(3, 3)];
const board = stateOf(first, second, third);

describe("snapshot", () => {
  test("is all that there is to know, best first", () => {
    const me: OwnEntry = { ...entryOf(7, 40), percentile: 12.5, tier: "Bronze" };
    const frame = snapshotOf([third, first, second], { total_players: 41, me });
    expect(applyFrame(NO_STATE, frame)).toEqual({
      epoch: "e1",
      seq: 10,
      live: true,
      board: "global",
      season: 1,
      totalPlayers: 41,
      version: 100,
      entries: new Map([first, second, third].map((each) => [each.user_id, each])),
      order: [1, 2, 3],
      me: { rank: 40, score: 960, change: 0, moves: 1 },
    });
  });

  test("takes the place of everything, even when it is older, and keeps rows that are alike", () => {
    const frame = snapshotOf([{ ...first }, { ...second, win_rate: 0.5 }], { seq: 4, epoch: "e2" });
    const next = advance(board, frame);
    expect(next).toMatchObject({ seq: 4, epoch: "e2", order: [1, 2] });
    expect(next.entries.get(1)).toBe(first);
    expect(next.entries.get(2)?.win_rate).toBe(0.5);
  });
});

describe("update", () => {
  test("changes what it names and leaves all else as it is", () => {
    const risen = entryOf(3, 1, { total_score: 2_000 });
    const next = advance(
      board,
      updateOf({
        entries: [risen],
        moved: [
          [1, 2],
          [99, 3],
        ],
        left: [2],
        total_players: 50,
      }),
    );
    expect(next).toMatchObject({ seq: 11, version: 101, totalPlayers: 50, order: [3, 1] });
    expect([...next.entries.values()]).toEqual([{ ...first, rank: 2 }, risen]);
    expect(board.order).toEqual([1, 2, 3]);
  });

  test("keeps untouched rows themselves", () => {
    const next = advance(board, updateOf({ entries: [{ ...second }], moved: [[3, 3]] }));
    for (const each of [first, second, third]) {
      expect(next.entries.get(each.user_id)).toBe(each);
    }
  });

  test("keeps the order itself when only the number of players changed", () => {
    const next = advance(board, updateOf({ total_players: 4 }));
    expect(next.order).toBe(board.order);
    expect(next.entries).toBe(board.entries);
    expect(next.totalPlayers).toBe(4);
  });

  test("lets a player leave and come back at once", () => {
    const back = entryOf(2, 3);
    const next = advance(board, updateOf({ left: [2], moved: [[3, 2]], entries: [back] }));
    expect(next.order).toEqual([1, 3, 2]);
    expect(next.entries.get(2)).toBe(back);
  });

  test("is ignored when the snapshot has it already", () => {
    const old = updateOf({ seq: 10, prev: 8, left: [1], total_players: 9 });
    expect(applyFrame(board, old)).toBe(board);
    expect(applyFrame(board, { ...old, seq: 9 })).toBe(board);
  });

  test("that begins after what is known tells of a gap; one that reaches back doesn't", () => {
    expect(applyFrame(board, updateOf({ seq: 13, prev: 11 }))).toBe(GAP);
    expect(applyFrame(NO_STATE, updateOf({ prev: 0 }))).toBe(GAP);
    expect(advance(board, updateOf({ seq: 13, prev: 3 })).seq).toBe(13);
  });

  test("says that updates flow, even with nothing missed since the pause", () => {
    const paused = advance(board, { type: "status", seq: 10, live: false });
    expect(advance(paused, updateOf()).live).toBe(true);
    const resumed = advance(paused, updateOf({ seq: 10, prev: 10 }));
    expect(resumed).toEqual(board);
  });
});

test("own ranks count their changes and don't move the position", () => {
  const frame: RankFrame = {
    type: "rank",
    seq: 12,
    rank: 40,
    rank_change: 2,
    total_players: 60,
    score: 900,
  };
  const next = advance(board, frame);
  expect(next).toMatchObject({ seq: 10, totalPlayers: 60 });
  expect(next.me).toEqual({ rank: 40, score: 900, change: 2, moves: 2 });
  expect(next.entries).toBe(board.entries);
  // The change that the rank told of early isn't taken for known.
  expect(applyFrame(next, updateOf({ seq: 13, prev: 12 }))).toBe(GAP);

  expect(applyFrame(next, frame)).toBe(next);
  expect(advance(next, { ...frame, total_players: 61 }).me).toBe(next.me);
  const gone = advance(next, { ...frame, rank: null, score: null, rank_change: 0 });
  expect(gone.me).toEqual({ rank: null, score: null, change: 0, moves: 3 });
});

test("a status changes `live` alone, a pong nothing", () => {
  const paused = advance(board, { type: "status", seq: 99, live: false });
  expect(paused).toEqual({ ...board, live: false });
  expect(advance(paused, { type: "status", seq: 99, live: false })).toBe(paused);
  expect(advance(board, { type: "pong", seq: 99 })).toBe(board);
});

/** As many rows as a watcher sees. */
const VISIBLE = 6;
const PLAYERS = 12;

/** A board that tells its changes as the service's hub does. */
class ModelBoard {
  seq = 0;
  private readonly random: () => number;
  private readonly players = new Map<number, Entry>();
  private readonly touches: { seq: number; changed: number[]; shifted: number[] }[] = [];

  constructor(random: () => number) {
    this.random = random;
  }

  top(): Entry[] {
    return [...this.players.values()]
      .sort((a, b) => b.total_score - a.total_score || a.user_id - b.user_id)
      .slice(0, VISIBLE)
      .map((each, at) => ({ ...each, rank: at + 1 }));
  }

  get totals() {
    return { total_players: this.players.size, version: this.seq };
  }

  /** One player scores, with another name perhaps, or leaves; often out of sight. */
  step(): void {
    const before = this.top();
    const userId = 1 + Math.floor(this.random() * PLAYERS);
    const old = this.players.get(userId);
    if (this.random() < 0.15) this.players.delete(userId);
    else {
      const points = Math.floor(this.random() * 60) - 20;
      this.players.set(
        userId,
        entryOf(userId, 0, {
          total_score: (old?.total_score ?? 0) + points,
          games_played: (old?.games_played ?? 0) + 1,
          win_rate: this.random() < 0.5 ? null : this.random(),
        }),
      );
    }
    this.seq += 1;
    const now = this.top();
    const ids = (rows: Entry[]) => rows.map((each) => each.user_id);
    const [was, is] = [ids(before), ids(now)];
    this.touches.push({
      seq: this.seq,
      changed: [...was.filter((id) => !is.includes(id)), ...is.filter((id) => !was.includes(id))],
      shifted: is.filter((id, at) => was[at] !== id),
    });
    if (is.includes(userId)) this.touches.at(-1)?.changed.push(userId);
  }

  /** Everything after `prev`, for whoever stands anywhere from there on. */
  update(prev: number): UpdateFrame {
    const missed = this.touches.filter((touch) => touch.seq > prev);
    const changed = new Set(missed.flatMap((touch) => touch.changed));
    const shifted = new Set(missed.flatMap((touch) => touch.shifted));
    const top = this.top();
    const there = new Set(top.map((each) => each.user_id));
    return updateOf({
      seq: this.seq,
      prev,
      ...this.totals,
      entries: top.filter((each) => changed.has(each.user_id)),
      moved: top
        .filter(({ user_id: id }) => shifted.has(id) && !changed.has(id))
        .map(({ user_id: id, rank }) => [id, rank]),
      left: [...changed, ...shifted].filter((id) => !there.has(id)),
    });
  }

  snapshot() {
    return snapshotOf(this.top(), { seq: this.seq, ...this.totals });
  }
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  "any cut of any changes ends in the board's top (%i)",
  (seed) => {
    const random = seeded(seed);
    const upTo = (most: number) => Math.floor(random() * (most + 1));
    const model = new ModelBoard(random);
    for (let steps = upTo(15); steps > 0; steps -= 1) model.step();
    let state = advance(NO_STATE, model.snapshot());
    let told = 0;
    for (let round = 0; round < 250; round += 1) {
      const from = model.seq;
      // Sometimes the socket is away for long, and comes back with the number it saw last.
      for (let steps = random() < 0.1 ? 40 : 1 + upTo(3); steps > 0; steps -= 1) model.step();
      const middle = from + 1 + upTo(model.seq - from - 1);
      expect(applyFrame(state, model.update(middle))).toBe(GAP);

      const next = advance(state, model.update(Math.max(0, from - upTo(6))));
      const top = model.top();
      expect(next.order.map((id) => next.entries.get(id))).toEqual(top);
      expect(next.entries.size).toBe(top.length);
      expect(next).toMatchObject({ seq: model.seq, totalPlayers: model.totals.total_players });
      for (const [id, entry] of next.entries) {
        const known = state.entries.get(id);
        const same = JSON.stringify(known) === JSON.stringify(entry);
        expect(entry === known).toBe(same);
        told += same ? 0 : 1;
      }
      expect(applyFrame(next, model.update(from))).toBe(next);
      state = next;
    }
    expect(told).toBeGreaterThan(250);
  },
);
