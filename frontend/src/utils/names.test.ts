import { expect, test } from "vitest";
import { isolate, splitNames } from "./names";
import { text } from "./text";

test("a sentence is its words and its names", () => {
  expect(splitNames(text.notices.youPassedSeveral("محمد", 2))).toEqual([
    { said: "You passed ", isName: false },
    { said: "محمد", isName: true },
    { said: " and 2 others", isName: false },
  ]);
  expect(splitNames("No name")).toEqual([{ said: "No name", isName: false }]);
});

test("every sentence with a name sets it apart", () => {
  const { notices, search } = text;
  const name = "محمد";
  const said = [
    notices.passedYou(name),
    notices.severalPassedYou(name, 1),
    notices.youPassed(name),
    notices.youPassedSeveral(name, 3),
    notices.newLeader(name),
    notices.entered(name, 2),
    notices.rose(name, 3, 2),
    search.none(name),
    search.join(name),
    text.account.continueAs(name),
  ];
  for (const each of said) expect(each).toContain(isolate(name));
});
