/** What went wrong, as RFC 9457 documents say it, in one shape for the whole app. */
import { AxiosError } from "axios";
import { text } from "../text";
import type { components } from "./schema";

type Document = components["schemas"]["Problem"];

/** An answer that is no success, or none at all (`status` 0). */
export class Problem extends Error {
  override readonly name = "Problem";

  readonly status: number;
  /** Stable, such as `not-ranked`; empty without an answer. */
  readonly code: string;
  /** What is wrong with which field. */
  readonly fields: Readonly<Record<string, string>>;

  constructor(
    message: string,
    status: number,
    code = "",
    fields: Readonly<Record<string, string>> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.fields = fields;
  }

  /** Whether the same request may succeed later. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Any failure of a request as a Problem. What is no failure of a request is thrown as it is. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (!(error instanceof AxiosError)) throw error;
  const { response } = error;
  if (response === undefined) return new Problem(text.problems.network, 0);
  const { status } = response;
  const document = isDocument(response.data) ? response.data : null;
  if (document === null) {
    return new Problem(status >= 500 ? text.problems.busy : text.problems.unknown, status);
  }
  const fields = Object.fromEntries(
    (document.errors ?? []).map(({ field, message }) => [field, message]),
  );
  return new Problem(document.detail, status, document.code, fields);
}

function isDocument(data: unknown): data is Document {
  return typeof data === "object" && data !== null && "code" in data && "detail" in data;
}
