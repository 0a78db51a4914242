/** A place that is kept for what is on its way. Shows itself after 150 ms: most answers are faster. */
export function Skeleton({ className = "" }: { className?: string }) {
  return (
    <span
      aria-hidden="true"
      className={`block animate-shimmer rounded-sm bg-high [animation-delay:150ms] ${className}`}
    />
  );
}
