/** The service's answers, for tests. What asks the service must be imported after this file. */
import axios, { AxiosError, AxiosHeaders, type AxiosResponse } from "axios";

interface Request {
  /** Without the `/api` before it. */
  path: string;
  params: Readonly<Record<string, unknown>>;
  body: unknown;
  headers: AxiosHeaders;
}

/** "none": the network is gone. */
type Answer = { status: number; data: unknown } | "none";

let answer: (request: Request) => Answer = () => "none";

/** Answers every request from now on. */
export function serve(next: typeof answer): void {
  answer = next;
}

export const ok = (data: unknown): Answer => ({ status: 200, data });

// Clients take over the defaults when they are created.
axios.defaults.adapter = async (config) => {
  await Promise.resolve();
  const found = answer({
    path: config.url ?? "",
    params: config.params ?? {},
    body: typeof config.data === "string" ? JSON.parse(config.data) : config.data,
    headers: AxiosHeaders.from(config.headers),
  });
  if (found === "none") throw new AxiosError("Network Error", AxiosError.ERR_NETWORK, config);
  const response: AxiosResponse = { ...found, statusText: "", headers: {}, config };
  if (found.status >= 400) throw new AxiosError("refused", "", config, null, response);
  return response;
};
