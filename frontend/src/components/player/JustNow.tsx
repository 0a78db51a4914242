/** What happened on the board in the last minutes. */
import { useNotices } from "../../context/noticeStore";
import { useNow } from "../../hooks/useNow";
import { formatAgo } from "../../utils/format";
import { text } from "../../utils/text";
import { NoticeIcon } from "../ui/NoticeIcon";

const SHOWN = 8;

export function JustNow() {
  const notices = useNotices((state) => state.notices);
  const now = useNow();
  return (
    <section aria-labelledby="just-now" className="panel min-h-28 flex-1 overflow-hidden p-4">
      <h2 id="just-now" className="mb-2 text-sm font-semibold text-muted">
        {text.notices.title}
      </h2>
      {notices.length === 0 ? (
        <p className="text-sm text-muted">{text.notices.none}</p>
      ) : (
        <ul className="space-y-2">
          {notices.slice(0, SHOWN).map((notice) => (
            <li key={notice.id} className="flex animate-fade-in items-center gap-2 text-sm">
              <NoticeIcon tone={notice.tone} />
              <bdi className={`min-w-0 flex-1 truncate ${notice.own ? "text-ink" : "text-muted"}`}>
                {notice.text}
              </bdi>
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
