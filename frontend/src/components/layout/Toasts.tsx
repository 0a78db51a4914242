/** What concerns this device's player, for a few seconds, where it is in nobody's way. */
import { Suspense } from "react";
import { useLocation } from "react-router";
import { useNotices } from "../../context/noticeStore";
import { later } from "./later";

const ToastList = later(async () => (await import("./ToastList")).ToastList);

export function Toasts() {
  const any = useNotices(({ notices }) => notices.some((each) => each.own));
  const { pathname } = useLocation();
  return (
    <div
      aria-live="polite"
      // Beside a board on a wide screen "Just now" shows the same: here it is only said.
      className={`${pathname.includes("/players/") ? "" : "lg:sr-only"} pointer-events-none fixed inset-x-0 top-0 bottom-32 z-40 flex flex-col items-center justify-end gap-2 px-4 lg:bottom-6 lg:items-end lg:px-8 low:bottom-12`}
    >
      {/* The clock runs only while there is something to take away. */}
      {any && (
        <Suspense fallback={null}>
          <ToastList />
        </Suspense>
      )}
    </div>
  );
}
