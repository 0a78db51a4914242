/** Which player this device is. Remembered, and shared by the tabs of this browser. */
import { create } from "zustand";
import { persist } from "zustand/middleware";

export interface Player {
  user_id: number;
  username: string;
}

interface Session {
  player: Player | null;
  /** What was chosen in the form the last time. */
  gameMode: string;
  become: (player: Player) => void;
  forget: () => void;
  setGameMode: (mode: string) => void;
}

const KEY = "leaderboard.session";

export const useSession = create<Session>()(
  persist(
    (set) => ({
      player: null,
      gameMode: "ranked",
      become: ({ user_id, username }) => set({ player: { user_id, username } }),
      forget: () => set({ player: null }),
      setGameMode: (gameMode) => set({ gameMode }),
    }),
    { name: KEY, version: 1 },
  ),
);

// Whoever says who they are in one tab is that in all of them.
addEventListener("storage", (event) => {
  if (event.key === KEY) void useSession.persist.rehydrate();
});
