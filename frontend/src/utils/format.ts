/** Numbers and times as the reader's own locale writes them. */

const locales = typeof navigator === "undefined" ? ["en"] : [...navigator.languages];

const whole = new Intl.NumberFormat(locales, { maximumFractionDigits: 0 });
const share = new Intl.NumberFormat(locales, { style: "percent", maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat(locales, { maximumFractionDigits: 2 });
const moment = new Intl.DateTimeFormat(locales, { dateStyle: "medium", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(locales, { dateStyle: "medium" });
const dayShort = new Intl.DateTimeFormat(locales, { day: "numeric", month: "short" });
const clock = new Intl.DateTimeFormat(locales, { timeStyle: "short" });
const ago = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });

/** A whole number with the locale's separators. */
export const formatNumber = (value: number): string => whole.format(value);

/** A share from 0 to 1 in percent. */
export const formatShare = (value: number): string => share.format(value);

/** Up to two decimals. */
export const formatFine = (value: number): string => fine.format(value);

export const formatMoment = (at: Date): string => moment.format(at);
export const formatDay = (at: Date): string => day.format(at);
export const formatDayShort = (at: Date): string => dayShort.format(at);
export const formatClock = (at: Date): string => clock.format(at);

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

const LAP = /^\d+$/;

/** A score: 83456 with unit "ms" is 1:23.456, with 2 decimals 834.56. Exact, whatever its size. */
export function formatScore(value: number, style: ScoreStyle = { decimals: 0 }): string {
  if (style.unit === "ms") return formatLap(value);
  const digits = `${Math.abs(value)}`.padStart(style.decimals + 1, "0");
  const head = digits.slice(0, digits.length - style.decimals);
  const tail = style.decimals > 0 ? `.${digits.slice(-style.decimals)}` : "";
  if (!LAP.test(digits)) return whole.format(value);
  // Formatted as text, so that no double ever rounds it.
  const exact = `${value < 0 ? "-" : ""}${head}${tail}` as `${number}`;
  const format =
    style.decimals === 0
      ? whole
      : new Intl.NumberFormat(locales, { minimumFractionDigits: style.decimals });
  return style.unit ? `${format.format(exact)} ${style.unit}` : format.format(exact);
}

function formatLap(ms: number): string {
  const size = Math.abs(ms);
  const rest = `${size % 1000}`.padStart(3, "0");
  return `${ms < 0 ? "-" : ""}${formatDuration(size - (size % 1000))}.${rest}`;
}
