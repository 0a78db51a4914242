import { useSyncExternalStore } from "react";
import { toServerTime } from "../utils/serverClock";

/** One clock for all who show how long ago something was. */
function createClock(everyMs: number) {
  let now = Date.now();
  let timer: ReturnType<typeof setInterval> | undefined;
  const listeners = new Set<() => void>();
  return {
    read: () => now,
    subscribe: (listener: () => void) => {
      if (listeners.size === 0) {
        now = Date.now();
        timer = setInterval(() => {
          now = Date.now();
          for (const each of listeners) each();
        }, everyMs);
      }
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) clearInterval(timer);
      };
    },
  };
}

const slow = createClock(15_000);
const fast = createClock(500);

/** ms since 1970 by the device's clock, every quarter of a minute. */
export const useNow = (): number => useSyncExternalStore(slow.subscribe, slow.read);

/** The same by the service's clock, which its times are compared with. */
export const useServerNow = (): number => toServerTime(useNow());

/** The device's clock twice a second, for countdowns. */
export const useFastNow = (): number => useSyncExternalStore(fast.subscribe, fast.read);
