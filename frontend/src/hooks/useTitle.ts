import { useEffect } from "react";

/** The document's title, for as long as the page is there. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title;
  }, [title]);
}
