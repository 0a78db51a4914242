import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useSession } from "../context/sessionStore";
import { createUser, joinAsGuest } from "../utils/api/client";
import { authQuery } from "../utils/api/queries";

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
