/** What concerns this device's player, for a few seconds, where it is in nobody's way. */
import { AnimatePresence } from "motion/react";
import * as m from "motion/react-m";
import { useLocation } from "react-router";
import { useNotices } from "../../context/noticeStore";
import { useFastNow } from "../../hooks/useNow";
import { NoticeIcon } from "../ui/NoticeIcon";

const SHOWN_MS = 5_000;
const AT_ONCE = 3;

export function Toasts() {
  const latest = useNotices(({ notices }) => notices.find((each) => each.own));
  // The clock runs only while there is something to take away.
  return latest === undefined ? null : <Shown />;
}

function Shown() {
  const now = useFastNow();
  const { pathname } = useLocation();
  const notices = useNotices((state) => state.notices);
  const shown = notices.filter(({ own, at }) => own && now - at < SHOWN_MS).slice(0, AT_ONCE);
  return (
    <div
      aria-live="polite"
      // Beside a board on a wide screen "Just now" shows the same: here it is only said.
      className={`${pathname.includes("/players/") ? "" : "lg:sr-only"} pointer-events-none fixed inset-x-0 bottom-32 z-40 flex flex-col items-center gap-2 px-4 lg:bottom-6 lg:items-end lg:px-8`}
    >
      <AnimatePresence initial={false}>
        {shown.map((notice) => (
          <m.p
            key={notice.id}
            initial={{ opacity: 0, y: 12 }}
            animate={{ opacity: 1, y: 0 }}
            exit={{ opacity: 0 }}
            transition={{ duration: 0.2, ease: "easeOut" }}
            className="flex max-w-full items-center gap-2 rounded-full border hairline bg-high px-4 py-2 text-sm shadow-float"
          >
            <NoticeIcon tone={notice.tone} />
            <bdi className="truncate">{notice.text}</bdi>
          </m.p>
        ))}
      </AnimatePresence>
    </div>
  );
}
