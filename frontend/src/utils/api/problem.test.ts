import { AxiosError, AxiosHeaders } from "axios";
import { expect, test } from "vitest";
import { text } from "../text";
import { Problem, toProblem } from "./problem";

const config = { headers: new AxiosHeaders() };
const answered = (status: number, data: unknown) =>
  new AxiosError("refused", "", config, null, {
    status,
    data,
    statusText: "",
    headers: {},
    config,
  });

test("a problem document says it all", () => {
  const problem = toProblem(
    answered(422, {
      type: "about:blank",
      title: "Unprocessable",
      status: 422,
      code: "invalid-input",
      detail: "Two fields are wrong.",
      errors: [
        { field: "score", message: "must be a whole number" },
        { field: "metadata.level", message: "is too deep" },
      ],
    }),
  );
  expect(problem).toMatchObject({
    message: "Two fields are wrong.",
    status: 422,
    code: "invalid-input",
    passing: false,
    fields: { score: "must be a whole number", "metadata.level": "is too deep" },
  });
});

test("a document may name no fields", () => {
  const document = { code: "not-ranked", detail: "No score yet.", errors: null };
  expect(toProblem(answered(404, document)).fields).toEqual({});
});

test("without an answer it is the network", () => {
  const problem = toProblem(new AxiosError("Network Error", AxiosError.ERR_NETWORK, config));
  expect(problem).toMatchObject({ message: text.problems.network, status: 0, passing: true });
});

test.each([
  [502, "<html>Bad gateway</html>", text.problems.busy, true],
  [503, null, text.problems.busy, true],
  [429, "", text.problems.unknown, true],
  [404, { code: 404 }, text.problems.unknown, false],
])("an answer %i of somebody else in between", (status, data, message, passing) => {
  expect(toProblem(answered(status, data))).toMatchObject({ status, message, passing, code: "" });
});

test("a problem stays itself, and what is none is thrown on", () => {
  const problem = new Problem("gone", 410, "gone");
  expect(toProblem(problem)).toBe(problem);
  const bug = new TypeError("undefined is not a function");
  expect(() => toProblem(bug)).toThrow(bug);
});
