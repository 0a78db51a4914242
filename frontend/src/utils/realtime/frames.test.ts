import { expect, test } from "vitest";
import { parseFrame } from "./frames";

test.each(["snapshot", "update", "rank", "status", "pong"])(
  "a frame of type %s is taken",
  (type) => {
    expect(parseFrame(JSON.stringify({ type, seq: 3 }))).toEqual({ type, seq: 3 });
  },
);

test.each([
  ["no text", new ArrayBuffer(8)],
  ["nothing", ""],
  ["half a frame", '{"type":"pong","se'],
  ["null", "null"],
  ["a number", "7"],
  ["a list", '["pong"]'],
  ["no type", '{"seq":1}'],
  ["a type that is no word", '{"type":["pong"]}'],
  ["a type of a newer service", '{"type":"party","seq":1}'],
  ["a type that every object knows", '{"type":"constructor"}'],
])("%s is no frame", (_, data) => {
  expect(parseFrame(data)).toBeNull();
});
