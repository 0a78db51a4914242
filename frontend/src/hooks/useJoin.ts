import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { readRecoveryCode, useSession } from "../context/sessionStore";
import { createUser, joinAsGuest, renewGuest } from "../utils/api/client";
import { Problem } from "../utils/api/problem";
import { authQuery } from "../utils/api/queries";
import { text } from "../utils/text";

/** Becoming a new player: freely where everything is open, else as a guest where guests may come. */
export function useJoin() {
  const { data: auth } = useQuery(authQuery);
  const client = useQueryClient();
  const { become, signIn } = useSession.getState();
  const open = auth?.mode === "open";
  const join = useMutation({
    mutationFn: async (username: string) => {
      if (open) {
        become(await createUser(username));
        return;
      }
      const { token, expires_at, guest_secret, ...player } = await joinAsGuest(username);
      if (guest_secret == null) throw new Error("a new guest has a secret");
      signIn(player, { token, expires_at, guest_secret });
    },
    onSuccess: () => client.invalidateQueries({ queryKey: ["suggestions"] }),
  });
  return { join, mayJoin: open || auth?.guest_sign_in === true };
}

/** Being a player again by a recovery code, on this or another device. */
export function useRecover() {
  return useMutation({
    mutationFn: async (code: string) => {
      const parts = readRecoveryCode(code);
      if (parts === null) throw new Problem(text.account.badCode, 0);
      const { userId, secret } = parts;
      const { token, expires_at, guest_secret: _, ...player } = await renewGuest(userId, secret);
      useSession.getState().signIn(player, { token, expires_at, guest_secret: secret });
    },
  });
}
