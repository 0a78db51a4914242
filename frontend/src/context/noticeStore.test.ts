import { expect, test } from "vitest";
import { useNotices } from "./noticeStore";

test("the newest notices are kept, newest first, each with its own id", () => {
  const { add, clear } = useNotices.getState();
  for (let count = 1; count <= 30; count += 1) {
    add({ text: `notice ${count}`, tone: "news", own: false });
  }
  const { notices } = useNotices.getState();
  expect(notices.map((each) => each.text)).toEqual(
    Array.from({ length: 24 }, (_, at) => `notice ${30 - at}`),
  );
  expect(new Set(notices.map((each) => each.id)).size).toBe(24);
  clear();
  expect(useNotices.getState().notices).toEqual([]);
});
