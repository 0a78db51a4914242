/** In whose name the app asks. Kept here and not in a store, because requests know no stores. */
import { serverNow } from "../serverClock";

export interface Token {
  text: string;
  /** ms since 1970, by the service's clock. */
  expiresAt: number;
}

export interface Credential {
  /** The player's token, if there is one. */
  token: () => Token | null;
  /** Gets a new token; null if there is no way to, or not now. */
  renew: () => Promise<Token | null>;
}

let current: Credential = { token: () => null, renew: () => Promise.resolve(null) };

export function setCredential(credential: Credential): void {
  current = credential;
}

/** A token that ends sooner is renewed before it is shown: a refusal counts against the caller. */
const SPARE_MS = 30_000;

const isGood = (token: Token | null): token is Token =>
  token !== null && token.expiresAt - SPARE_MS > serverNow();

/** The token, if it is still good. */
export function currentToken(): string | null {
  const token = current.token();
  return isGood(token) ? token.text : null;
}

/** The token, renewed if it is about to end; null: ask in nobody's name. */
export function freshToken(): Promise<string | null> {
  const token = current.token();
  if (token === null || isGood(token)) return Promise.resolve(token?.text ?? null);
  return renewToken();
}

let renewing: Promise<string | null> | null = null;

/** All who find the same token refused wait for the same new one. */
export function renewToken(): Promise<string | null> {
  renewing ??= current
    .renew()
    .then((token) => token?.text ?? null)
    .finally(() => {
      renewing = null;
    });
  return renewing;
}
