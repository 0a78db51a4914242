/** What happened on the board in the last minutes. */
import { useNotices } from "../../context/noticeStore";
import { useNow } from "../../hooks/useNow";
import { formatAgo } from "../../utils/format";
import { text } from "../../utils/text";
import { NoticeIcon } from "../ui/NoticeIcon";
import { Words } from "../ui/Words";

const SHOWN = 8;
/** Pixels a line. */
const LINE = 28;
const RECENT_MS = 10 * 60_000;

export function JustNow() {
  const notices = useNotices((state) => state.notices);
  const now = useNow();
  const recent = notices.filter(({ at }) => now - at < RECENT_MS);
  return (
    <section aria-labelledby="just-now" className="panel min-h-28 flex-1 overflow-hidden p-4">
      <h2 id="just-now" className="mb-2 text-sm font-semibold text-muted">
        {text.notices.title}
      </h2>
      {recent.length === 0 ? (
        <p className="text-sm text-muted">{text.notices.none}</p>
      ) : (
        <ul className="relative" style={{ height: Math.min(SHOWN, recent.length) * LINE }}>
          {recent.slice(0, SHOWN).map((notice, at) => (
            <li
              key={notice.id}
              // Older ones are pushed down by a transform, which is no shift of the layout.
              style={{ transform: `translateY(${at * LINE}px)` }}
              className="absolute inset-x-0 top-0 flex animate-fade-in items-center gap-2 text-sm transition-transform duration-200"
            >
              <NoticeIcon tone={notice.tone} />
              <span className={`min-w-0 flex-1 truncate ${notice.own ? "text-ink" : "text-muted"}`}>
                <Words>{notice.text}</Words>
              </span>
              <time className="text-xs text-muted" dateTime={new Date(notice.at).toISOString()}>
                {formatAgo(new Date(notice.at), new Date(Math.max(now, notice.at)))}
              </time>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
