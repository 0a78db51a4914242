import { describe, expect, test } from "vitest";
import type { Limits } from "./api/types";
import { checkDraft, type Draft, EMPTY_DRAFT, FIELD_OF, writeBody } from "./submission";
import { text } from "./text";

const LIMITS: Limits = {
  min_score: -9_007_199_254_740_991,
  max_score: 9_007_199_254_740_991,
  max_duration_ms: 604_800_000,
  max_metadata_bytes: 64,
  game_mode_pattern: "^[A-Za-z0-9_-]{1,32}$",
};

const check = (typed: Partial<Draft>, limits = LIMITS) =>
  checkDraft({ ...EMPTY_DRAFT, score: "1", ...typed }, limits);

function gameOf(typed: Partial<Draft>) {
  const checked = check(typed);
  if (!checked.ok) throw new Error(JSON.stringify(checked.errors));
  return checked.game;
}

test("what was not said isn't sent", () => {
  expect(gameOf({ score: "1250", mode: " ranked " })).toEqual({ score: 1250, game_mode: "ranked" });
});

test("what was said is", () => {
  const draft = {
    score: " -3 ",
    mode: "2v2_Blitz-x",
    duration: "1:33",
    result: "lost",
    metadata: '{ "level": 7, "by": ["é"] }',
  } as const;
  expect(gameOf(draft)).toEqual({
    score: -3,
    game_mode: "2v2_Blitz-x",
    duration_ms: 93_000,
    won: false,
    metadata: '{ "level": 7, "by": ["é"] }',
  });
  expect(gameOf({ result: "won" }).won).toBe(true);
});

test("every field that is wrong says so at once", () => {
  const checked = check({ score: "", mode: "", duration: "soon", metadata: "7" });
  expect(checked).toEqual({
    ok: false,
    errors: {
      score: text.submit.whole,
      mode: text.submit.modeShape,
      duration: text.submit.time,
      metadata: text.submit.object,
    },
  });
});

describe("score", () => {
  test.each([
    ["9007199254740991", 9_007_199_254_740_991],
    ["-9007199254740991", -9_007_199_254_740_991],
    ["+0012", 12],
    ["0", 0],
    ["１２", 12],
    ["٣", 3],
  ])("%s is taken", (score, value) => {
    expect(gameOf({ score }).score).toBe(value);
  });

  test.each([
    ["9007199254740992", "At most 9,007,199,254,740,991."],
    ["9007199254740993", "At most 9,007,199,254,740,991."],
    ["99999999999999999999999999", "At most 9,007,199,254,740,991."],
    ["-9007199254740992", "At least -9,007,199,254,740,991."],
  ])("%s is out of range, whatever a double makes of it", (score, says) => {
    expect(check({ score })).toEqual({ ok: false, errors: { score: says } });
  });

  test.each(["1e3", "1.0", "1.", "0x10", "1_000", "1,000", "--1", "+", "Infinity", "1n", "1 2"])(
    "%s is no whole number",
    (score) => {
      expect(check({ score })).toEqual({ ok: false, errors: { score: text.submit.whole } });
    },
  );

  test("a board may have narrower bounds", () => {
    const narrow = { ...LIMITS, min_score: 0, max_score: 100 };
    expect(check({ score: "100" }, narrow).ok).toBe(true);
    expect(check({ score: "101" }, narrow)).toMatchObject({ errors: { score: "At most 100." } });
    expect(check({ score: "-1" }, narrow)).toMatchObject({ errors: { score: "At least 0." } });
  });
});

test.each(["a".repeat(33), "two words", "déjà", "a/b", "", "  "])("mode %j is refused", (mode) => {
  expect(check({ mode })).toEqual({ ok: false, errors: { mode: text.submit.modeShape } });
});

describe("duration", () => {
  test.each([
    ["0", 0],
    ["93", 93_000],
    ["1:33", 93_000],
    ["1:02:03", 3_723_000],
    ["0:00.5", 500],
    ["0:01.025", 1_025],
    ["10080:00", 604_800_000],
    ["604800", 604_800_000],
    ["168:00:00", 604_800_000],
  ])("%s is %i ms", (duration, ms) => {
    expect(gameOf({ duration }).duration_ms).toBe(ms);
  });

  test.each(["604800.001", "168:00:01", "10080:01", "9".repeat(400)])(
    "%s is too long",
    (duration) => {
      expect(check({ duration })).toEqual({
        ok: false,
        errors: { duration: "At most 168:00:00." },
      });
    },
  );

  test.each(["-1:00", "1:75", "1:60:00", "1:", ":30", "1:2:3:4", "1.0000", "1m30", "1e3"])(
    "%s is no time",
    (duration) => {
      expect(check({ duration })).toEqual({ ok: false, errors: { duration: text.submit.time } });
    },
  );
});

describe("metadata", () => {
  /** As many bytes as the limit: 8 for the object around the text, 2 for each letter. */
  const full = "é".repeat(28);

  test("its size is that of compact JSON in bytes, however it was typed", () => {
    expect(gameOf({ metadata: `{\n  "a" :   "${full}" }` }).metadata).toContain(full);
    expect(check({ metadata: `{"a":"${full}b"}` })).toEqual({
      ok: false,
      errors: { metadata: "At most 64 bytes." },
    });
    expect(check({ metadata: `{"a":"${"b".repeat(56)}"}` }).ok).toBe(true);
    expect(check({ metadata: `{"a" : "${"\\u00e9".repeat(28)}"}` }).ok).toBe(true);
    expect(check({ metadata: `{"a": ${"9".repeat(58)}}` }).ok).toBe(true);
    expect(check({ metadata: `{"a": ${"9".repeat(59)}}` }).ok).toBe(false);
  });

  test.each(["[]", "null", '"text"', "1", "{level: 7}", "{", "{} {}"])(
    "%s is no object",
    (metadata) => {
      expect(check({ metadata })).toEqual({ ok: false, errors: { metadata: text.submit.object } });
    },
  );

  test("an empty object is one", () => {
    expect(gameOf({ metadata: " {} " }).metadata).toBe("{}");
  });
});

describe("the body", () => {
  test("is JSON with the player in it", () => {
    const body = writeBody(7, gameOf({ score: "-3", duration: "1", result: "won" }));
    const fields = { score: -3, game_mode: "ranked", duration_ms: 1_000, won: true };
    expect(JSON.parse(body)).toEqual({ user_id: 7, ...fields });
  });

  test.each(["12345678901234567890", "1e400", "0.1000000000000000055", "0.10", "-0", "1E+2"])(
    "has %s in its metadata as it was typed",
    (number) => {
      const metadata = `{"n" : ${number},\t"x": ["1 \\" 2 "]}`;
      const body = writeBody(7, gameOf({ metadata: `  ${metadata}\n` }));
      expect(body).toBe(`{"user_id":7,"score":1,"game_mode":"ranked","metadata":${metadata}}`);
      expect(JSON.parse(body)).toBeTruthy();
    },
  );
});

test("every field that is sent has its place in the form", () => {
  const body = gameOf({ duration: "1", result: "won", metadata: "{}" });
  const places = Object.keys(body).map((name) => FIELD_OF[name]);
  expect(places.sort()).toEqual(Object.keys(EMPTY_DRAFT).sort());
});
