import { afterEach, expect, test } from "vitest";
import { serve } from "../utils/testing/service";

const { fetchUser } = await import("../utils/api/client");
const { useSession } = await import("./sessionStore");

const KEY = "leaderboard.session";

afterEach(() => useSession.setState(useSession.getInitialState(), true));

test("the device remembers its player, and no more of them than it needs", () => {
  const found = { user_id: 7, username: "Nova", email: "nova@example.com" };
  useSession.getState().become(found);
  const kept = JSON.parse(localStorage.getItem(KEY) ?? "null");
  const player = { user_id: 7, username: "Nova" };
  expect(kept.state).toEqual({ player, proof: null, gameMode: "ranked" });
  useSession.getState().forget();
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

test("a secret that is refused leaves a looker-on; an answer that is missing leaves it be", async () => {
  useSession.getState().signIn(guest, proof);
  serve(({ path }) => (path === "/auth/guest" ? "none" : refused));
  await expect(fetchUser(7)).rejects.toMatchObject({ status: 401 });
  expect(useSession.getState().proof?.guest_secret).toBe("s3cret");
  serve(() => refused);
  await expect(fetchUser(7)).rejects.toMatchObject({ status: 401 });
  expect(useSession.getState()).toMatchObject({ player: guest, proof: null });
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
