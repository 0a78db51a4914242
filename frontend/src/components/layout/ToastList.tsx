/** The notices themselves, which come and go. Loaded with what makes them move. */
import { AnimatePresence, domAnimation, LazyMotion, MotionConfig } from "motion/react";
import * as m from "motion/react-m";
import { useNotices } from "../../context/noticeStore";
import { useFastNow } from "../../hooks/useNow";
import { NoticeIcon } from "../ui/NoticeIcon";
import { Words } from "../ui/Words";

const SHOWN_MS = 5_000;
const AT_ONCE = 3;

export function ToastList() {
  const now = useFastNow();
  const notices = useNotices((state) => state.notices);
  const shown = notices.filter(({ own, at }) => own && now - at < SHOWN_MS).slice(0, AT_ONCE);
  return (
    <LazyMotion features={domAnimation} strict={true}>
      <MotionConfig reducedMotion="user">
        <AnimatePresence initial={false}>
          {shown.map((notice) => (
            <m.p
              key={notice.id}
              initial={{ opacity: 0, y: 12 }}
              animate={{ opacity: 1, y: 0 }}
              exit={{ opacity: 0 }}
              transition={{ duration: 0.2, ease: "easeOut" }}
              className="flex max-w-full items-center gap-2 rounded-lg border hairline bg-high px-4 py-2 text-sm shadow-float"
            >
              <NoticeIcon tone={notice.tone} />
              <span className="min-w-0">
                <Words>{notice.text}</Words>
              </span>
            </m.p>
          ))}
        </AnimatePresence>
      </MotionConfig>
    </LazyMotion>
  );
}
