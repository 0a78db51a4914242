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

interface Session {
  player: Player | null;
  /** null: this device only looks on as the player. */
  proof: Proof | null;
  /** What was chosen in the form the last time. */
  gameMode: string;
  /** Looks on as a player. */
  become: (player: Player) => void;
  /** Is a player, and can prove it. */
  signIn: (player: Player, proof: Proof) => void;
  forget: () => void;
  setGameMode: (mode: string) => void;
}

const KEY = "leaderboard.session";

export const useSession = create<Session>()(
  persist(
    (set) => ({
      player: null,
      proof: null,
      gameMode: "ranked",
      become: ({ user_id, username }) => set({ player: { user_id, username }, proof: null }),
      signIn: ({ user_id, username }, proof) => set({ player: { user_id, username }, proof }),
      forget: () => set({ player: null, proof: null }),
      setGameMode: (gameMode) => set({ gameMode }),
    }),
    { name: KEY, version: 1 },
  ),
);

// Whoever says who they are in one tab is that in all of them.
addEventListener("storage", (event) => {
  if (event.key === KEY) void useSession.persist.rehydrate();
});

const toToken = ({ token, expires_at }: Omit<Proof, "guest_secret">): Token => ({
  text: token,
  expiresAt: Date.parse(expires_at),
});

setCredential({
  token: () => {
    const { proof } = useSession.getState();
    return proof === null ? null : toToken(proof);
  },
  renew: async () => {
    const { player, proof } = useSession.getState();
    if (player === null || proof === null) return null;
    try {
      const { token, expires_at } = await renewGuest(player.user_id, proof.guest_secret);
      useSession.setState({ proof: { ...proof, token, expires_at } });
      return toToken({ token, expires_at });
    } catch (error) {
      // What can't be proved any more is looked on at; what can't be asked now may be asked later.
      if (error instanceof Problem && !error.passing) useSession.setState({ proof: null });
      return null;
    }
  },
});
