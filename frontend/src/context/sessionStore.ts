/** Which player this device is. Remembered, and shared by the tabs of this browser. */
import { create } from "zustand";
import { persist } from "zustand/middleware";
import { renewGuest } from "../utils/api/client";
import { setCredential, type Token } from "../utils/api/credential";
import { Problem } from "../utils/api/problem";

export interface Player {
  user_id: number;
  username: string;
}

/** What lets this device act for its player, where not everybody may. */
export interface Proof {
  token: string;
  /** ISO 8601. */
  expires_at: string;
  /** Gets a new token when that one has run out. */
  guest_secret: string;
}

/** A player whom this device can prove to be. */
export interface Account {
  player: Player;
  proof: Proof;
}

interface Session {
  player: Player | null;
  /** null: this device only looks on as the player. */
  proof: Proof | null;
  /** Whether the service refused the proof. It is kept: only its owner throws it away. */
  refused: boolean;
  /** The other accounts of this device. */
  others: readonly Account[];
  /** What was chosen in the form the last time. */
  gameMode: string;
  /** Looks on as a player; is that player where this device has an account of theirs. */
  become: (player: Player) => void;
  /** Is a player, and can prove it. */
  signIn: (player: Player, proof: Proof) => void;
  /** Is nobody for now. Accounts stay. */
  leave: () => void;
  /** Forgets the present account for good. */
  signOut: () => void;
  setGameMode: (mode: string) => void;
}

const KEY = "leaderboard.session";

const NOBODY = { player: null, proof: null, refused: false };

/** All accounts of the device but one. */
function accountsBut(userId: number | null, { player, proof, others }: Session): Account[] {
  const present = player !== null && proof !== null ? [{ player, proof }] : [];
  return [...present, ...others].filter((each) => each.player.user_id !== userId);
}

function changeTo({ user_id, username }: Player, given: Proof | null, session: Session) {
  const own = [...session.others, ...accountsBut(null, session)];
  const kept = own.find((each) => each.player.user_id === user_id)?.proof ?? null;
  return {
    player: { user_id, username },
    proof: given ?? kept,
    refused: false,
    others: accountsBut(user_id, session),
  };
}

/** What can be made use of; other versions of the app, and people, may have written the rest. */
function readKept(kept: unknown): Partial<Session> {
  const found = asRecord(kept);
  const player = readPlayer(found["player"]);
  const others = Array.isArray(found["others"]) ? found["others"] : [];
  return {
    player,
    proof: player === null ? null : readProof(found["proof"]),
    others: others.flatMap((each) => {
      const account = {
        player: readPlayer(asRecord(each)["player"]),
        proof: readProof(asRecord(each)["proof"]),
      };
      return account.player && account.proof ? [account as Account] : [];
    }),
    ...(typeof found["gameMode"] === "string" && { gameMode: found["gameMode"] }),
  };
}

const asRecord = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};

function readPlayer(value: unknown): Player | null {
  const { user_id, username } = asRecord(value);
  return Number.isSafeInteger(user_id) && typeof username === "string"
    ? { user_id: user_id as number, username }
    : null;
}

function readProof(value: unknown): Proof | null {
  const { token, expires_at, guest_secret } = asRecord(value);
  return typeof token === "string" &&
    typeof expires_at === "string" &&
    typeof guest_secret === "string"
    ? { token, expires_at, guest_secret }
    : null;
}

export const useSession = create<Session>()(
  persist(
    (set) => ({
      ...NOBODY,
      others: [],
      gameMode: "ranked",
      become: (player) => set((session) => changeTo(player, null, session)),
      signIn: (player, proof) => set((session) => changeTo(player, proof, session)),
      leave: () => set((session) => ({ ...NOBODY, others: accountsBut(null, session) })),
      signOut: () => set(NOBODY),
      setGameMode: (gameMode) => set({ gameMode }),
    }),
    {
      name: KEY,
      version: 1,
      partialize: ({ player, proof, others, gameMode }) => ({ player, proof, others, gameMode }),
      merge: (kept, initial) => ({ ...initial, ...readKept(kept), refused: false }),
    },
  ),
);

/** What brings an account back on any device. */
export const recoveryCode = ({ player, proof }: Account): string =>
  `${player.user_id}.${proof.guest_secret}`;

/** The parts of a recovery code; null for what is none. */
export function readRecoveryCode(typed: string): { userId: number; secret: string } | null {
  const parts = /^(\d{1,16})\.(\S+)$/.exec(typed.trim());
  return parts === null ? null : { userId: Number(parts[1]), secret: parts[2] ?? "" };
}

// Whoever says who they are in one tab is that in all of them.
addEventListener("storage", (event) => {
  if (event.key === KEY) void useSession.persist?.rehydrate();
});

const toToken = ({ token, expires_at }: Omit<Proof, "guest_secret">): Token => ({
  text: token,
  expiresAt: Date.parse(expires_at),
});

setCredential({
  token: () => {
    const { proof, refused } = useSession.getState();
    return proof === null || refused ? null : toToken(proof);
  },
  renew: async () => {
    const { player, proof } = useSession.getState();
    if (player === null || proof === null || useSession.getState().refused) return null;
    try {
      const { token, expires_at } = await renewGuest(player.user_id, proof.guest_secret);
      // The player may have changed while this was asked.
      if (useSession.getState().proof === proof) {
        useSession.setState({ proof: { ...proof, token, expires_at } });
      }
      return toToken({ token, expires_at });
    } catch (error) {
      // A refused player is looked on at; what can't be asked now may be asked later.
      if (error instanceof Problem && !error.passing) useSession.setState({ refused: true });
      return null;
    }
  },
});
