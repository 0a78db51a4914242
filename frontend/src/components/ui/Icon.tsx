/** Line icons on a 20-pixel grid. Always beside words or a label: they carry no meaning alone. */
const PATHS = {
  arrowUp: "M10 16V4m0 0-5 5m5-5 5 5",
  arrowDown: "M10 4v12m0 0 5-5m-5 5-5-5",
  back: "M16 10H4m0 0 5-5m-5 5 5 5",
  check: "m4 10.5 4 4 8-9",
  close: "M5 5l10 10M15 5 5 15",
  search: "M9 14A5 5 0 1 0 9 4a5 5 0 0 0 0 10Zm3.8-1.2L16.5 16.5",
  target: "M10 3v3m0 8v3M3 10h3m8 0h3m-3 0a4 4 0 1 1-8 0 4 4 0 0 1 8 0Z",
  share:
    "M7 9.2 13 6m-6 4.8 6 3.2M6.5 10a2 2 0 1 1-4 0 2 2 0 0 1 4 0Zm11-5a2 2 0 1 1-4 0 2 2 0 0 1 4 0Zm0 10a2 2 0 1 1-4 0 2 2 0 0 1 4 0Z",
  bolt: "M11 2 4 11.5h5L8.5 18 16 8.5h-5L11 2Z",
  crown: "M3 15h14M3.5 12.5 2.5 5l4.5 3 3-5 3 5 4.5-3-1 7.5h-13Z",
  user: "M10 10a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Zm-7 7c.7-3.2 3.5-5 7-5s6.3 1.8 7 5",
  retry: "M16 10a6 6 0 1 1-1.8-4.3M16 3v3.5h-3.5",
  chevron: "m5 7.5 5 5 5-5",
  plus: "M10 4v12M4 10h12",
} as const;

export type IconName = keyof typeof PATHS;

/** `mirrored` icons point along the line of writing. */
export function Icon({ name, className = "" }: { name: IconName; className?: string }) {
  const mirrored = name === "back" ? "rtl:-scale-x-100" : "";
  return (
    <svg
      viewBox="0 0 20 20"
      aria-hidden="true"
      className={`size-5 shrink-0 ${mirrored} ${className}`}
      fill="none"
      stroke="currentColor"
      strokeWidth="1.75"
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
