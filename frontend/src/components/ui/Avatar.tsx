/** A face for everybody, drawn from a number: the same on every screen, asked of no network. */
import { memo, useMemo } from "react";

const SIDE = 5;

interface AvatarProps {
  seed: number;
  /** Pixels. */
  size?: number;
  className?: string;
}

export const Avatar = memo(function AvatarView({ seed, size = 36, className = "" }: AvatarProps) {
  const { hue, path } = useMemo(() => draw(seed), [seed]);
  return (
    <svg
      viewBox="0 0 7 7"
      width={size}
      height={size}
      aria-hidden="true"
      shapeRendering="crispEdges"
      className={`shrink-0 rounded-sm forced-color-adjust-none ${className}`}
      style={{ background: `oklch(0.27 0.055 ${hue})` }}
    >
      <path d={path} fill={`oklch(0.8 0.11 ${hue})`} />
    </svg>
  );
});

/** A hue, and a figure of squares that is its own mirror image. */
function draw(seed: number): { hue: number; path: string } {
  let bits = mix(seed);
  const hue = bits % 360;
  bits = mix(bits ^ 0x9e3779b9);
  let path = "";
  for (let column = 0; column < 3; column += 1) {
    for (let row = 0; row < SIDE; row += 1) {
      const lit = (bits >>> (column * SIDE + row)) & 1;
      if (lit === 0) continue;
      path += square(column, row);
      if (column < 2) path += square(SIDE - 1 - column, row);
    }
  }
  return { hue, path: path || square(2, 2) };
}

const square = (column: number, row: number): string => `M${column + 1} ${row + 1}h1v1h-1z`;

/** Spreads neighbouring numbers over all 32 bits (the finaliser of MurmurHash3). */
function mix(value: number): number {
  let hash = (value ^ Math.floor(value / 2 ** 32)) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
