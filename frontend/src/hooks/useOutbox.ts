import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { useLive } from "../context/liveStore";
import { useNotices } from "../context/noticeStore";
import { isSafe, useOutbox, type Waiting } from "../context/outboxStore";
import { useSession } from "../context/sessionStore";
import { toProblem } from "../utils/api/problem";
import { authQuery } from "../utils/api/queries";
import { serverNow } from "../utils/serverClock";
import { text } from "../utils/text";
import { deliver, inHand, isFinal } from "./useSubmitScore";

/** The socket tells that the service is back. Where it does not, this often. */
const TRY_EVERY_MS = 15_000;

/** Sends what waits, one after the other, whenever the service may be there to take it. */
export function useDeliverWaiting(): void {
  const client = useQueryClient();
  const { data: auth } = useQuery(authQuery);
  const isOpen = useLive(({ connection }) => connection.phase === "open");
  const myId = useSession(({ player }) => player?.user_id);
  const mode = auth?.mode;
  const waits = useOutbox(({ waiting }) => waiting.length > 0);
  useEffect(() => {
    if (!waits || mode === undefined) return;
    let stopped = false;
    const deliverAll = async () => {
      const maySend = (each: Waiting) =>
        !(stopped || inHand.has(each.key)) &&
        (mode === "open" || each.userId === myId) &&
        isSafe(each, serverNow());
      for (const each of useOutbox.getState().waiting) {
        // Where there was no answer for one there is none for the next.
        if (maySend(each) && !(await deliverOne(each, client))) return;
      }
    };
    if (isOpen) void deliverAll();
    const timer = setInterval(deliverAll, TRY_EVERY_MS);
    addEventListener("online", deliverAll);
    return () => {
      stopped = true;
      clearInterval(timer);
      removeEventListener("online", deliverAll);
    };
  }, [waits, mode, isOpen, myId, client]);
}

/** Whether the service answered. */
async function deliverOne(each: Waiting, client: QueryClient): Promise<boolean> {
  inHand.add(each.key);
  try {
    const { new_rank: rank } = await deliver(each, client);
    tell(text.submit.delivered(each.score, rank), "climbed");
    return true;
  } catch (error) {
    if (!isFinal(error)) return false;
    tell(text.submit.refused(each.score, toProblem(error).message), "passed");
    return true;
  } finally {
    inHand.delete(each.key);
  }
}

const tell = (said: string, tone: "climbed" | "passed"): void =>
  useNotices.getState().add({ text: said, tone, own: true });

/** A player's scores that have no answer yet. */
export function useWaiting(userId: number | undefined): readonly Waiting[] {
  const waiting = useOutbox((outbox) => outbox.waiting);
  return waiting.filter((each) => each.userId === userId);
}
