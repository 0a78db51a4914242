/**
 * A sign for a tier, by its place among the tiers: the best is a cut stone, the next a hexagon,
 * then ranks as chevrons. In cold light alone: gold, silver and bronze belong to the first three
 * places.
 */
import { memo } from "react";

const TINTS = ["#b9f3ff", "#a9c6ff", "#9fb0d8", "#8f9dbd", "#8390ab"];

function shapeOf(at: number) {
  if (at === 0)
    return <path d="M8 1.5 14 7l-6 7.5L2 7l6-5.5Zm0 0L5.6 7 8 14.5 10.4 7 8 1.5ZM2 7h12" />;
  if (at === 1)
    return (
      <path d="m8 1.5 5.6 3.25v6.5L8 14.5l-5.6-3.25v-6.5L8 1.5Zm0 3.6 2.6 1.5v2.9L8 11 5.4 9.5V6.6L8 5.1Z" />
    );
  const count = Math.max(1, 5 - at);
  const first = 8 - (count - 1) * 2;
  return (
    <path
      d={Array.from({ length: count }, (_, each) => `M3 ${first + each * 4 + 2}l5-4 5 4`).join("")}
    />
  );
}

interface TierEmblemProps {
  /** Place among the tiers, the best is 0. */
  at: number;
  name: string;
  /** Pixels. */
  size?: number;
  className?: string;
}

export const TierEmblem = memo(function TierEmblemView({
  at,
  name,
  size = 16,
  className = "",
}: TierEmblemProps) {
  return (
    <svg
      viewBox="0 0 16 16"
      width={size}
      height={size}
      role="img"
      aria-label={name}
      className={`shrink-0 forced-colors:stroke-[CanvasText] ${className}`}
      fill="none"
      stroke={TINTS[Math.min(at, TINTS.length - 1)]}
      strokeWidth={at < 2 ? 1.25 : 1.75}
      strokeLinejoin="round"
      strokeLinecap="round"
    >
      <title>{name}</title>
      {shapeOf(at)}
    </svg>
  );
});
