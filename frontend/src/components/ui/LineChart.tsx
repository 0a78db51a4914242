/** A line over time: to look at, to point at, and as a table for whoever can do neither. */
import { type KeyboardEvent, type PointerEvent, useEffect, useId, useRef, useState } from "react";
import { type Chart, type ChartPoint, layOut, nearest } from "../../utils/chart";
import { formatMoment } from "../../utils/format";
import { text } from "../../utils/text";

interface LineChartProps {
  points: readonly ChartPoint[];
  upward: boolean;
  /** A value in words. */
  format: (value: number) => string;
  /** The labels of the values' axis. */
  formatTicks: (values: readonly number[]) => string[];
  label: string;
}

const HEIGHT = 240;
const BELOW = 24;

export function LineChart({ points, upward, format, formatTicks, label }: LineChartProps) {
  const { box, width } = useWidth();
  const [at, setAt] = useState<number | null>(null);
  const gradient = useId();
  const extremes = points.map((each) => each.value);
  const longest = formatTicks([Math.min(...extremes), Math.max(...extremes)]);
  const side = 24 + Math.max(...longest.map((each) => each.length)) * 7;
  const chart = layOut(points, { width, height: HEIGHT, side, below: BELOW }, upward);
  const chosen = at === null ? undefined : chart.points[at];
  const onPointer = (event: PointerEvent<SVGSVGElement>) => {
    const x = event.clientX - event.currentTarget.getBoundingClientRect().left;
    const found = nearest(chart.points, x);
    setAt(found === undefined ? null : chart.points.indexOf(found));
  };
  const onKey = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    setAt((old) => Math.min(points.length - 1, Math.max(0, (old ?? points.length - 1) + step)));
  };
  const first = points[0];
  const last = points.at(-1);
  const summary =
    first && last ? text.player.historySummary(label, format(first.value), format(last.value)) : "";
  return (
    <div ref={box} dir="ltr" className="relative">
      <svg
        width={width}
        height={HEIGHT}
        role="img"
        tabIndex={0}
        aria-label={summary}
        className="block touch-pan-y select-none"
        onPointerMove={onPointer}
        onPointerDown={onPointer}
        onPointerLeave={() => setAt(null)}
        onKeyDown={onKey}
        onBlur={() => setAt(null)}
      >
        <defs>
          <linearGradient id={gradient} x1="0" x2="0" y1="0" y2="1">
            <stop offset="0" stopColor="var(--color-you)" stopOpacity="0.22" />
            <stop offset="1" stopColor="var(--color-you)" stopOpacity="0" />
          </linearGradient>
        </defs>
        <Axes chart={chart} width={width} side={side} formatTicks={formatTicks} />
        <path d={chart.area} fill={`url(#${gradient})`} />
        <path
          d={chart.path}
          fill="none"
          className="stroke-you forced-colors:stroke-[CanvasText]"
          strokeWidth="2"
          strokeLinejoin="round"
        />
        {chosen !== undefined && (
          <g>
            <line x1={chosen.x} x2={chosen.x} y1="8" y2={HEIGHT - BELOW} className="stroke-edge" />
            <circle
              cx={chosen.x}
              cy={chosen.y}
              r="4.5"
              className="fill-ground stroke-you"
              strokeWidth="2"
            />
          </g>
        )}
      </svg>
      {chosen !== undefined && (
        <p
          role="status"
          className="numeral pointer-events-none absolute top-0 rounded-sm border hairline bg-high px-2 py-1 text-xs whitespace-nowrap shadow-float"
          style={{ left: Math.min(Math.max(0, chosen.x - 60), Math.max(0, width - 170)) }}
        >
          <span className="font-semibold">{format(chosen.point.value)}</span>
          <span className="ms-2 text-muted">{formatMoment(chosen.point.at)}</span>
        </p>
      )}
      <details className="mt-2 text-xs text-muted">
        <summary className="w-fit cursor-pointer rounded-sm hover:text-ink">
          {text.player.chartTable}
        </summary>
        <div className="mt-2 max-h-56 overflow-y-auto">
          <table className="w-full">
            <thead>
              <tr>
                <th className="text-start font-normal">{text.player.time}</th>
                <th className="text-end font-normal">{label}</th>
              </tr>
            </thead>
            <tbody>
              {points.map((point) => (
                <tr key={point.at.getTime()}>
                  <td>{formatMoment(point.at)}</td>
                  <td className="numeral text-end">{format(point.value)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </div>
  );
}

interface AxesProps {
  chart: Chart;
  width: number;
  side: number;
  formatTicks: (values: readonly number[]) => string[];
}

function Axes({ chart, width, side, formatTicks }: AxesProps) {
  const labels = formatTicks(chart.values.map(({ value }) => value));
  return (
    <g className="numeral fill-muted text-xs">
      {chart.values.map(({ y, value }, index) => (
        <g key={value}>
          <line x1="0" x2={width - side} y1={y} y2={y} className="stroke-line" />
          <text x={width - side + 10} y={y} dominantBaseline="middle">
            {labels[index]}
          </text>
        </g>
      ))}
      {chart.times.map(({ x, at, label }) => (
        <text key={at.getTime()} x={x} y={HEIGHT - 6} textAnchor="middle">
          {label}
        </text>
      ))}
    </g>
  );
}

function useWidth() {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  useEffect(() => {
    if (box.current === null) return;
    const resized = new ResizeObserver(([entry]) => {
      if (entry !== undefined) setWidth(Math.max(160, Math.floor(entry.contentRect.width)));
    });
    resized.observe(box.current);
    return () => resized.disconnect();
  }, []);
  return { box, width };
}
