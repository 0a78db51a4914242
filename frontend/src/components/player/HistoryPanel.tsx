/** Rank and score over time. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useBoardRef } from "../../hooks/useBoardRef";
import { Problem } from "../../utils/api/problem";
import { historyQuery } from "../../utils/api/queries";
import type { Board, HistoryRange } from "../../utils/api/types";
import type { ChartPoint } from "../../utils/chart";
import { formatTicks } from "../../utils/format";
import { ordinal, text } from "../../utils/text";
import { formatOf } from "../board/LeaderboardCard";
import { LineChart } from "../ui/LineChart";
import { Segments } from "../ui/Segments";
import { Skeleton } from "../ui/Skeleton";

type Measure = "rank" | "score";

const RANGES: readonly HistoryRange[] = ["hour", "day", "week", "month", "all"];

export function HistoryPanel({ userId, board }: { userId: number; board: Board }) {
  const ref = useBoardRef();
  const [measure, setMeasure] = useState<Measure>("rank");
  const [range, setRange] = useState<HistoryRange>("all");
  const { data, error } = useQuery({
    ...historyQuery(ref, userId, range),
    refetchInterval: 20_000,
    placeholderData: keepPreviousData,
  });
  const points = useMemo<readonly ChartPoint[]>(() => {
    const found = data?.points ?? [];
    return found.flatMap(({ at, rank, total_score: score }) => {
      const value = measure === "rank" ? rank : score;
      return value === null ? [] : [{ at: new Date(at), value }];
    });
  }, [data, measure]);
  const inexact =
    measure === "rank" &&
    (data?.points.some(({ rank, exact }) => rank !== null && !exact) ?? false);
  const format = measure === "rank" ? ordinal : formatOf(board);
  return (
    <section aria-labelledby="history" className="panel p-4">
      <div className="mb-3 flex flex-wrap items-center gap-2">
        <h2 id="history" className="me-auto text-sm font-semibold text-muted">
          {text.player.history}
        </h2>
        <Segments<Measure>
          label={text.player.history}
          value={measure}
          onChange={setMeasure}
          options={[
            { value: "rank", label: text.player.historyRank },
            { value: "score", label: text.player.historyScore },
          ]}
        />
        <Segments<HistoryRange>
          label={text.player.historyRange}
          value={range}
          onChange={setRange}
          options={RANGES.map((each) => ({ value: each, label: text.player.ranges[each] }))}
          className="max-sm:w-full"
        />
      </div>
      {data === undefined && error === null && <Skeleton className="h-60 w-full" />}
      {data === undefined && error !== null && (
        <p className="grid h-60 place-items-center text-sm text-muted">{describe(error)}</p>
      )}
      {data !== undefined && points.length < 2 && (
        <p className="grid h-60 place-items-center text-center text-sm text-muted">
          {text.player.historyEmpty}
        </p>
      )}
      {points.length >= 2 && (
        <LineChart
          points={points}
          upward={measure === "score"}
          format={format}
          formatTicks={(values) =>
            measure === "rank"
              ? formatTicks(values)
              : formatTicks(values, formatOf(board), 10 ** board.decimals)
          }
          label={measure === "rank" ? text.player.historyRank : text.player.historyScore}
        />
      )}
      {inexact && <p className="mt-2 text-xs text-muted">{text.player.historyAbout}</p>}
    </section>
  );
}

function describe(error: Error): string {
  const unranked = error instanceof Problem && error.code === "not-ranked";
  return unranked ? text.player.historyEmpty : text.player.failed;
}
