/** A number that counts to its new value instead of jumping there. */
import { animate, useReducedMotion } from "motion/react";
import { memo, useLayoutEffect, useRef } from "react";

interface RollingNumberProps {
  value: number;
  format: (value: number) => string;
  /** Show the new value at once: while so much changes that nobody could read the way. */
  calm?: boolean;
}

const SECONDS = 0.22;

export const RollingNumber = memo(function RollingNumberView({
  value,
  format,
  calm = false,
}: RollingNumberProps) {
  const element = useRef<HTMLSpanElement>(null);
  const shown = useRef(value);
  const still = useReducedMotion() === true || calm;

  useLayoutEffect(() => {
    const span = element.current;
    if (span === null) return;
    const from = shown.current;
    if (from === value || still) {
      shown.current = value;
      span.textContent = format(value);
      return;
    }
    // Written to the element itself: a render a frame and row would cost more than it shows.
    const counting = animate(from, value, {
      duration: SECONDS,
      ease: "easeOut",
      onUpdate: (now) => {
        shown.current = Math.round(now);
        span.textContent = format(shown.current);
      },
      onComplete: () => {
        shown.current = value;
        span.textContent = format(value);
      },
    });
    return () => counting.stop();
  }, [value, format, still]);

  return (
    <>
      <span ref={element} aria-hidden="true" />
      <span className="sr-only">{format(value)}</span>
    </>
  );
});
