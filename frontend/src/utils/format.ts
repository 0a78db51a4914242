/** Numbers and times in the language of the app's words. */
import { agoFormat, dateFormat, numberFormat } from "./locale";

const whole = numberFormat({ maximumFractionDigits: 0 });
const share = numberFormat({ style: "percent", maximumFractionDigits: 0 });
const fine = numberFormat({ maximumFractionDigits: 2 });
const moment = dateFormat({ dateStyle: "medium", timeStyle: "medium" });
const day = dateFormat({ dateStyle: "medium" });
const ago = agoFormat({ numeric: "auto", style: "short" });

/** A whole number with the locale's separators. */
export const formatNumber = (value: number): string => whole.format(value);

/** A share from 0 to 1 in percent. */
export const formatShare = (value: number): string => share.format(value);

/** Up to two decimals. */
export const formatFine = (value: number): string => fine.format(value);

export const formatMoment = (at: Date): string => moment.format(at);
export const formatDay = (at: Date): string => day.format(at);

const clock = dateFormat({ timeStyle: "short" });

/** The time of day, to the minute. */
export const formatClock = (at: Date): string => clock.format(at);

const compacts = Array.from({ length: 6 }, (_, at) =>
  numberFormat({ notation: "compact", maximumSignificantDigits: at + 1 }),
);

const AXIS_CHARACTERS = 8;

/**
 * Labels for the values of an axis, no two alike: as they are if they are short, else `1.2M`.
 *
 * @param unit what one unit of the label is worth; 100 for values with two decimals
 */
export function formatTicks(
  values: readonly number[],
  format: (value: number) => string = formatNumber,
  unit = 1,
): string[] {
  const full = values.map(format);
  if (full.every((label) => label.length <= AXIS_CHARACTERS)) return full;
  const short = compacts
    .map((compact) => values.map((value) => compact.format(value / unit)))
    .find((labels) => new Set(labels).size === values.length);
  return short ?? full;
}

const TIME_LABELS = {
  second: dateFormat({ timeStyle: "medium" }),
  minute: clock,
  /** Within some days: `Fri 6 PM`. */
  hour: dateFormat({ weekday: "short", hour: "numeric" }),
  day: dateFormat({ day: "numeric", month: "short" }),
  month: dateFormat({ month: "short", year: "numeric" }),
  year: dateFormat({ year: "numeric" }),
};

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Each unit with the distance from which it is too fine. A day may have 23 hours. */
const FINEST: readonly [keyof typeof TIME_LABELS, number][] = [
  ["second", 60_000],
  ["minute", 22 * HOUR_MS],
  ["day", 27 * DAY_MS],
  ["month", 360 * DAY_MS],
];

/** Labels for the times of an axis, as fine as their distance asks for. */
export function formatTimes(times: readonly Date[]): string[] {
  const steps = times.slice(1).map((at, before) => at.getTime() - (times[before]?.getTime() ?? 0));
  const step = steps.length === 0 ? DAY_MS : Math.max(...steps);
  const span = (times.at(-1)?.getTime() ?? 0) - (times[0]?.getTime() ?? 0);
  let [unit] = FINEST.find(([, most]) => step < most) ?? (["year"] as const);
  if (unit === "minute" && span > 22 * HOUR_MS) unit = "hour";
  return times.map((at) => TIME_LABELS[unit].format(at));
}

const MINUTE = 60;
const STEPS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 365 * 24 * 60 * MINUTE],
  ["month", 30 * 24 * 60 * MINUTE],
  ["day", 24 * 60 * MINUTE],
  ["hour", 60 * MINUTE],
  ["minute", MINUTE],
];

/** How long ago, in one unit. Less than a minute, and clocks that differ, are "now". */
export function formatAgo(at: Date, now: Date): string {
  const seconds = (now.getTime() - at.getTime()) / 1000;
  for (const [unit, size] of STEPS) {
    if (seconds >= size) return ago.format(-Math.floor(seconds / size), unit);
  }
  return ago.format(0, "second");
}

/** Milliseconds as people say them: 1:33, 1:02:03. */
export function formatDuration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const parts = [Math.floor(seconds / 60) % 60, seconds % 60];
  const hours = Math.floor(seconds / 3600);
  if (hours > 0) parts.unshift(hours);
  return parts.map((part, at) => (at === 0 ? `${part}` : `${part}`.padStart(2, "0"))).join(":");
}

/** How a board writes its scores, which are integers on the wire. */
export interface ScoreStyle {
  decimals: number;
  unit?: string | null | undefined;
}

const DIGITS = /^\d+$/;

/** A score: 83456 with unit "ms" is 1:23.456, with 2 decimals 834.56. Exact, whatever its size. */
export function formatScore(value: number, style: ScoreStyle = { decimals: 0 }): string {
  if (style.unit === "ms") return formatLap(value);
  const digits = `${Math.abs(value)}`.padStart(style.decimals + 1, "0");
  const head = digits.slice(0, digits.length - style.decimals);
  const tail = style.decimals > 0 ? `.${digits.slice(-style.decimals)}` : "";
  if (!DIGITS.test(digits)) return whole.format(value);
  // Formatted as text, so that no double ever rounds it.
  const exact = `${value < 0 ? "-" : ""}${head}${tail}` as `${number}`;
  const format = withDecimals(style.decimals);
  return style.unit ? `${format.format(exact)} ${style.unit}` : format.format(exact);
}

const byDecimals = new Map<number, Intl.NumberFormat>([[0, whole]]);

/** Made once for each number of decimals: a score is written at every frame while it counts up. */
function withDecimals(decimals: number): Intl.NumberFormat {
  let format = byDecimals.get(decimals);
  if (format === undefined) {
    format = numberFormat({ minimumFractionDigits: decimals });
    byDecimals.set(decimals, format);
  }
  return format;
}

function formatLap(ms: number): string {
  const size = Math.abs(ms);
  const rest = `${size % 1000}`.padStart(3, "0");
  return `${ms < 0 ? "-" : ""}${formatDuration(size - (size % 1000))}.${rest}`;
}
