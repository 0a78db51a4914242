import { type KeyboardEvent, type RefObject, useEffect, useRef, useState } from "react";

/** Rows that Page Up and Page Down go at once. */
const PAGE_ROWS = 10;

interface Rows {
  count: number;
  /** Rows that are drawn, from 0, both included. */
  first: number;
  last: number;
  /** Brings a row into view. */
  reveal: (index: number) => void;
}

/**
 * One tab stop for a list of rows, and arrows, Home, End, Page Up and Page Down within it. A row
 * is an element with `data-index`, and its link takes the focus.
 */
export function useRowKeys(list: RefObject<HTMLElement | null>, rows: Rows) {
  const { count, first, last, reveal } = rows;
  const [active, setActive] = useState(0);
  /** The row that takes the focus as soon as it is drawn. */
  const wanted = useRef<number | null>(null);

  useEffect(() => {
    if (wanted.current === null) return;
    const link = list.current?.querySelector<HTMLElement>(`[data-index="${wanted.current}"] a`);
    if (link == null) return;
    wanted.current = null;
    link.focus({ preventScroll: true });
  });

  const onKeyDown = (event: KeyboardEvent) => {
    const from = indexOf(event.target as Element) ?? active;
    const to = { ...STEPS, Home: -from, End: count - 1 - from }[event.key];
    if (event.key === "Escape") (event.target as HTMLElement).blur();
    const modified = event.ctrlKey || event.metaKey || event.altKey || event.shiftKey;
    if (to === undefined || count === 0 || modified) return;
    event.preventDefault();
    const next = Math.min(count - 1, Math.max(0, from + to));
    setActive(next);
    wanted.current = next;
    reveal(next);
    // Until its row is there, which may take an answer, keys still arrive here.
    list.current?.focus({ preventScroll: true });
  };
  const onFocus = (event: { target: Element }) => {
    const index = indexOf(event.target);
    if (index !== null) setActive(index);
  };
  return {
    keys: { onKeyDown, onFocus },
    /** The row whose link is the tab stop. */
    stop: Math.min(Math.max(active, first), Math.max(first, last)),
  };
}

const STEPS: Record<string, number> = {
  ArrowUp: -1,
  ArrowDown: 1,
  PageUp: -PAGE_ROWS,
  PageDown: PAGE_ROWS,
};

function indexOf(element: Element): number | null {
  const index = element.closest("[data-index]")?.getAttribute("data-index");
  return index == null ? null : Number(index);
}
