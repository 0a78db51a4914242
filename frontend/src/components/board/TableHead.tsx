import { text } from "../../utils/text";
import { fromMedium, fromWide, rowGrid } from "./columns";

/** With a height of 0 it is there for those who listen. */
export function TableHead({ height }: { height: number }) {
  return (
    <div
      role="rowgroup"
      className={height === 0 ? "sr-only" : "sticky top-0 z-5 border-b hairline bg-raised"}
    >
      <div
        role="row"
        aria-rowindex={1}
        className={`${rowGrid} text-xs text-muted in-data-stacked:grid-rows-1`}
        // Without the line below it.
        style={{ height: Math.max(0, height - 1) }}
      >
        <span role="columnheader">{text.board.rank}</span>
        <span role="columnheader">{text.board.player}</span>
        <span role="columnheader" className={`${fromMedium} text-end`}>
          {text.board.games}
        </span>
        <span role="columnheader" className={`${fromMedium} text-end`}>
          {text.board.winRate}
        </span>
        <span role="columnheader" className={`${fromWide} text-end`}>
          {text.board.reached}
        </span>
        <span role="columnheader" className="text-end in-data-stacked:sr-only">
          {text.board.score}
        </span>
      </div>
    </div>
  );
}
