/** What all pages share: the head, the socket, and what is said aloud. */
import { Suspense } from "react";
import { Outlet } from "react-router";
import { useAskAgain } from "../../hooks/useAskAgain";
import { useBoardRef } from "../../hooks/useBoardRef";
import { useDeliverWaiting } from "../../hooks/useOutbox";
import { useTellNews } from "../../hooks/useTellNews";
import { useWatch } from "../../hooks/useWatch";
import { text } from "../../utils/text";
import { Announcer } from "./Announcer";
import { Header } from "./Header";
import { Toasts } from "./Toasts";

export function Shell() {
  const ref = useBoardRef();
  useWatch(ref);
  useTellNews(ref);
  useDeliverWaiting();
  useAskAgain();
  return (
    <div className="flex h-dvh flex-col">
      <a
        href="#content"
        className="sr-only z-50 rounded-sm bg-you px-4 py-2 text-ground focus:not-sr-only focus:absolute focus:start-3 focus:top-2"
      >
        {text.skipToContent}
      </a>
      <Header />
      <Suspense fallback={<div className="flex-1" />}>
        <Outlet />
      </Suspense>
      <Toasts />
      <Announcer />
    </div>
  );
}
