import { useEffect, useState } from "react";

/** A pointer or a key that rests for so long aims at nothing any more. */
const AIM_MS = 3_000;

/**
 * Whether somebody is aiming at a row, with a mouse or the keyboard: then nothing may move away
 * from under it. Touch has no pointer that rests, and scrolls as it moves.
 */
export function useHold(rows: HTMLElement | null): boolean {
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (rows === null) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const release = () => {
      clearTimeout(timer);
      setHeld(false);
    };
    const hold = () => {
      clearTimeout(timer);
      timer = setTimeout(release, AIM_MS);
      setHeld(true);
    };
    const onPointer = (event: PointerEvent) => {
      if (event.pointerType === "mouse") hold();
    };
    const onFocus = (event: FocusEvent) => {
      if (event.target instanceof HTMLAnchorElement && event.target.matches(":focus-visible")) {
        hold();
      }
    };
    rows.addEventListener("pointermove", onPointer);
    rows.addEventListener("pointerleave", release);
    rows.addEventListener("focusin", onFocus);
    rows.addEventListener("focusout", release);
    return () => {
      clearTimeout(timer);
      rows.removeEventListener("pointermove", onPointer);
      rows.removeEventListener("pointerleave", release);
      rows.removeEventListener("focusin", onFocus);
      rows.removeEventListener("focusout", release);
    };
  }, [rows]);
  return held;
}
