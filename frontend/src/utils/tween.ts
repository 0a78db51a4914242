/**
 * Counts from one number to another in so many ms, slower towards the end. `show` is called once a
 * frame, the last time with `to` itself. The function that it returns stops it where it is.
 */
export function tween(
  from: number,
  to: number,
  ms: number,
  show: (value: number) => void,
): () => void {
  let frame = 0;
  let start: number | undefined;
  const step = (now: number) => {
    start ??= now;
    const done = Math.min(1, (now - start) / ms);
    show(done === 1 ? to : from + (to - from) * (1 - (1 - done) ** 3));
    if (done < 1) frame = requestAnimationFrame(step);
  };
  frame = requestAnimationFrame(step);
  return () => cancelAnimationFrame(frame);
}
