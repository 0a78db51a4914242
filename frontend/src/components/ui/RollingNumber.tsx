/** A number that counts to its new value instead of jumping there. */
import { memo, useLayoutEffect, useRef } from "react";
import { useMedia } from "../../hooks/useMedia";
import { tween } from "../../utils/tween";

interface RollingNumberProps {
  value: number;
  format: (value: number) => string;
  /** Show the new value at once: while so much changes that nobody could read the way. */
  calm?: boolean;
}

const COUNT_MS = 220;

export const RollingNumber = memo(function RollingNumberView({
  value,
  format,
  calm = false,
}: RollingNumberProps) {
  const element = useRef<HTMLSpanElement>(null);
  const shown = useRef(value);
  const still = useMedia("(prefers-reduced-motion: reduce)") || calm;

  useLayoutEffect(() => {
    const span = element.current;
    if (span === null) return undefined;
    // Written to the element itself: a render a frame and row would cost more than it shows.
    const show = (now: number) => {
      shown.current = Math.round(now);
      span.textContent = format(shown.current);
    };
    const from = shown.current;
    show(still ? value : from);
    return still || from === value ? undefined : tween(from, value, COUNT_MS, show);
  }, [value, format, still]);

  return (
    <>
      <span ref={element} aria-hidden="true" />
      <span className="sr-only">{format(value)}</span>
    </>
  );
});
