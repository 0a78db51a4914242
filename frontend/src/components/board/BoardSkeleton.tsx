/** The board's shape, while its rules are on their way. */

import { shapeRows } from "../../utils/rowShape";
import { text } from "../../utils/text";
import { Skeleton } from "../ui/Skeleton";
import { RowSkeletons } from "./BoardRows";

export function BoardSkeleton() {
  return (
    <main
      id="content"
      aria-busy="true"
      aria-label={text.board.loading}
      className="mx-auto grid min-h-0 w-full max-w-[86rem] flex-1 gap-4 sm:p-4 lg:grid-cols-[minmax(0,1fr)_21rem]"
    >
      <div
        className="@container overflow-hidden panel"
        style={shapeRows(0, "100", "10,000").widths}
      >
        <div className="space-y-2 border-b hairline p-4">
          <Skeleton className="h-6 w-40" />
          <Skeleton className="h-4 w-28" />
        </div>
        <RowSkeletons />
      </div>
      <div className="panel p-4 max-lg:hidden">
        <Skeleton className="h-10 w-full" />
        <Skeleton className="mt-4 h-16 w-40" />
      </div>
    </main>
  );
}
