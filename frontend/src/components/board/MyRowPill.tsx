/** Where my own row is while it is off screen, and the way there. */
import type { LongScroll } from "../../hooks/useLongScroll";
import { text } from "../../utils/text";
import { Icon } from "../ui/Icon";

interface MyRowPillProps {
  rank: number | null;
  count: number;
  scroll: LongScroll;
  rowHeight: number;
  head: number;
}

export function MyRowPill({ rank, count, scroll, rowHeight, head }: MyRowPillProps) {
  if (rank === null || rank > count || scroll.viewport === 0) return null;
  const middle = head + (rank - 0.5) * rowHeight;
  const above = middle < scroll.top;
  const below = middle > scroll.top + scroll.viewport;
  if (!above && !below) return null;
  return (
    <button
      type="button"
      onClick={() => scroll.scrollToRow(rank - 1)}
      title={above ? text.me.showUp : text.me.showDown}
      className={`numeral low:hidden absolute start-1/2 z-10 flex -translate-x-1/2 animate-fade-in items-center gap-2 rounded-full border border-you/60 bg-ground px-4 py-1.5 text-sm font-semibold text-you shadow-float hover:bg-high rtl:translate-x-1/2 ${
        above ? "top-12" : "bottom-4"
      }`}
    >
      <Icon name={above ? "arrowUp" : "arrowDown"} className="size-4!" />
      {text.me.goTo(rank)}
    </button>
  );
}
