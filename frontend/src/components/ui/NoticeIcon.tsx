import { Icon } from "./Icon";

/** In which light something is told. */
export type Tone = "passed" | "climbed" | "news";

export function NoticeIcon({ tone }: { tone: Tone }) {
  switch (tone) {
    case "passed":
      return <Icon name="arrowDown" className="size-4! text-passed" />;
    case "climbed":
      return <Icon name="arrowUp" className="size-4! text-up" />;
    case "news":
      return <Icon name="bolt" className="size-4! text-muted" />;
  }
}
