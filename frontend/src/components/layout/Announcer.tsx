/** Says one's own rank to those who listen, politely and not at every step. */
import { useBoardRef } from "../../hooks/useBoardRef";
import { useMe } from "../../hooks/useMe";
import { useThrottled } from "../../hooks/useThrottled";
import { text } from "../../utils/text";

const EVERY_MS = 6_000;

export function Announcer() {
  const me = useMe(useBoardRef());
  const rank = useThrottled(me?.rank ?? null, EVERY_MS);
  return (
    <p aria-live="polite" className="sr-only">
      {rank !== null && me !== null && text.announce.rank(rank, me.total)}
    </p>
  );
}
