import { afterEach, expect, test } from "vitest";
import { serve } from "../utils/testing/service";

const { fetchUser } = await import("../utils/api/client");
const { readRecoveryCode, recoveryCode, useSession } = await import("./sessionStore");

const KEY = "leaderboard.session";

afterEach(() => useSession.setState(useSession.getInitialState(), true));

test("the device remembers its player, and no more of them than it needs", () => {
  const found = { user_id: 7, username: "Nova", email: "nova@example.com" };
  useSession.getState().become(found);
  const kept = JSON.parse(localStorage.getItem(KEY) ?? "null");
  const player = { user_id: 7, username: "Nova" };
  expect(kept.state).toEqual({ player, proof: null, others: [], gameMode: "ranked" });
  useSession.getState().leave();
  expect(localStorage.getItem(KEY)).not.toContain("Nova");
});

test("what another tab says holds in this one", async () => {
  const state = { player: { user_id: 8, username: "Orion" }, gameMode: "blitz" };
  localStorage.setItem(KEY, JSON.stringify({ state, version: 1 }));
  dispatchEvent(new StorageEvent("storage", { key: "something else" }));
  await Promise.resolve();
  expect(useSession.getState().player).toBeNull();
  dispatchEvent(new StorageEvent("storage", { key: KEY }));
  await Promise.resolve();
  expect(useSession.getState()).toMatchObject(state);
});

const guest = { user_id: 7, username: "Nova" };
const nova = { ...guest, join_date: "2026-01-01T00:00:00Z", is_active: true };
const later = new Date(Date.now() + 3_600_000).toISOString();
const proof = { token: "old", expires_at: later, guest_secret: "s3cret" };
const refused = {
  status: 401,
  data: { code: "unauthenticated", detail: "Not valid.", status: 401, title: "", type: "" },
};

test("a token that has run out is renewed once, for all who found it refused", async () => {
  const asked: string[] = [];
  useSession.getState().signIn(guest, proof);
  serve(({ path, headers, body }) => {
    const shown = headers.get("Authorization");
    asked.push(`${path} ${shown || "nobody"}`);
    if (path === "/auth/guest") {
      expect(body).toEqual({ user_id: 7, guest_secret: "s3cret" });
      return { status: 200, data: { ...guest, token: "new", expires_at: later } };
    }
    return shown === "Bearer new" ? { status: 200, data: nova } : refused;
  });
  const answers = await Promise.all([fetchUser(7), fetchUser(7)]);
  expect(answers).toEqual([nova, nova]);
  expect(asked.filter((each) => each === "/auth/guest nobody")).toHaveLength(1);
  expect(useSession.getState().proof).toEqual({ ...proof, token: "new" });
});

test("a token that is about to end is renewed before anybody sees it", async () => {
  const shown: unknown[] = [];
  useSession.getState().signIn(guest, { ...proof, expires_at: new Date().toISOString() });
  serve(({ path, headers }) => {
    shown.push(headers.get("Authorization") ?? null);
    const renewed = { ...guest, token: "new", expires_at: later };
    return { status: 200, data: path === "/auth/guest" ? renewed : nova };
  });
  await Promise.all([fetchUser(7), fetchUser(7)]);
  expect(shown).toEqual([null, "Bearer new", "Bearer new"]);
});

test("what everybody may read is read, also when nothing can be proved", async () => {
  useSession.getState().signIn(guest, proof);
  serve(({ path, headers }) => {
    if (path === "/auth/guest") return { status: 429, data: refused.data };
    return headers.has("Authorization") ? refused : { status: 200, data: nova };
  });
  expect(await fetchUser(7)).toEqual(nova);
  expect(useSession.getState().proof).toEqual(proof);
});

test("a secret that is refused leaves a looker-on, and is kept", async () => {
  useSession.getState().signIn(guest, proof);
  serve(({ path }) => (path === "/auth/guest" ? "none" : refused));
  await expect(fetchUser(7)).rejects.toMatchObject({ status: 401 });
  expect(useSession.getState().proof?.guest_secret).toBe("s3cret");
  serve(() => refused);
  await expect(fetchUser(7)).rejects.toMatchObject({ status: 401 });
  expect(useSession.getState()).toMatchObject({ player: guest, proof, refused: true });
});

const orion = { user_id: 8, username: "Orion" };

test("looking on as somebody else keeps the account, and the way back proves it again", () => {
  const { signIn, become, leave } = useSession.getState();
  signIn(guest, proof);
  become(orion);
  expect(useSession.getState()).toMatchObject({ player: orion, proof: null });
  expect(useSession.getState().others).toEqual([{ player: guest, proof }]);
  leave();
  expect(useSession.getState()).toMatchObject({ player: null, proof: null });
  become(guest);
  expect(useSession.getState()).toMatchObject({ player: guest, proof, others: [] });
  become(guest);
  expect(useSession.getState()).toMatchObject({ player: guest, proof, others: [] });
});

test("being nobody for a while keeps the account that was shown", () => {
  const { signIn, become, leave } = useSession.getState();
  signIn(guest, proof);
  leave();
  expect(useSession.getState()).toMatchObject({ player: null, others: [{ player: guest, proof }] });
  expect(localStorage.getItem(KEY)).toContain("s3cret");
  become(guest);
  expect(useSession.getState()).toMatchObject({ player: guest, proof, others: [] });
});

test("two accounts stay two, and signing out forgets the one that was shown", () => {
  const { signIn, signOut, leave } = useSession.getState();
  const second = { ...proof, guest_secret: "other" };
  signIn(guest, proof);
  signIn(orion, second);
  expect(useSession.getState().others).toEqual([{ player: guest, proof }]);
  signOut();
  expect(useSession.getState()).toMatchObject({ player: null, others: [{ player: guest, proof }] });
  leave();
  expect(localStorage.getItem(KEY)).toContain("s3cret");
  expect(localStorage.getItem(KEY)).not.toContain('other"');
});

test("a recovery code is a player and a secret, and nothing else is one", () => {
  expect(readRecoveryCode(` ${recoveryCode({ player: guest, proof })} `)).toEqual({
    userId: 7,
    secret: "s3cret",
  });
  for (const typed of ["", "7", "7.", ".x", "seven.x", "7 .x"]) {
    expect(readRecoveryCode(typed)).toBeNull();
  }
});

test.each([
  "null",
  '"text"',
  "{",
  '{"state":{"player":"Nova","others":{}},"version":1}',
  '{"state":{"player":{"user_id":"7"},"proof":{"token":1},"others":[null,{}]},"version":1}',
])("storage that holds %s is nobody", async (kept) => {
  localStorage.setItem(KEY, kept);
  await useSession.persist.rehydrate();
  expect(useSession.getState()).toMatchObject({ player: null, proof: null, others: [] });
});

test("nobody's requests name nobody, and a renewed token that is refused is not renewed again", async () => {
  let renewals = 0;
  const shown: unknown[] = [];
  serve(({ path, headers }) => {
    if (path === "/auth/guest") renewals += 1;
    else shown.push(headers.get("Authorization") ?? null);
    return path === "/auth/guest"
      ? { status: 200, data: { ...guest, token: "bad", expires_at: later } }
      : refused;
  });
  await expect(fetchUser(7)).rejects.toMatchObject({ status: 401 });
  expect([renewals, shown]).toEqual([0, [null]]);
  useSession.getState().signIn(guest, proof);
  await expect(fetchUser(7)).rejects.toMatchObject({ status: 401 });
  expect(renewals).toBe(1);
});
