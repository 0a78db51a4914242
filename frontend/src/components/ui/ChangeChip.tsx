/** By how many places, with an arrow: never said by colour alone. */

import { formatNumber } from "../../utils/format";
import { text } from "../../utils/text";
import { Icon } from "./Icon";

export function ChangeChip({ places, className = "" }: { places: number; className?: string }) {
  if (places === 0) return null;
  const up = places > 0;
  const size = Math.abs(places);
  return (
    <span
      className={`inline-flex items-center gap-0.5 text-xs font-semibold ${up ? "text-up" : "text-down"} ${className}`}
    >
      <Icon name={up ? "arrowUp" : "arrowDown"} className="size-3.5!" />
      <span aria-hidden="true">{formatNumber(size)}</span>
      <span className="sr-only">{up ? text.board.climbed(size) : text.board.fell(size)}</span>
    </span>
  );
}
