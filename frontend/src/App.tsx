import { QueryClientProvider } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { BrowserRouter, Route, Routes } from "react-router";
import { BoardPage } from "./components/board/BoardPage";
import { CrashGuard } from "./components/layout/Crash";
import { later } from "./components/layout/later";
import { NotFound } from "./components/layout/NotFound";
import { Shell } from "./components/layout/Shell";
import { createQueryClient } from "./utils/api/queries";

const loadPlayerPage = async () => (await import("./components/player/PlayerPage")).PlayerPage;
const PlayerPage = later(loadPlayerPage);
/** When what the first page needs has had its time on the network. */
const AHEAD_MS = 1_000;

export function App() {
  const [client] = useState(createQueryClient);
  // Ahead of the first press on a row: on a slow network the page would be empty until it came.
  useEffect(() => {
    const timer = setTimeout(() => loadPlayerPage().catch(() => undefined), AHEAD_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <CrashGuard>
      <QueryClientProvider client={client}>
        {/* In a transition a radio springs back to its old place until the page is redrawn. */}
        <BrowserRouter useTransitions={false}>
          <Routes>
            <Route element={<Shell />}>
              <Route index={true} element={<BoardPage />} />
              <Route path="boards/:slug" element={<BoardPage />} />
              <Route path="players/:id" element={<PlayerPage />} />
              <Route path="boards/:slug/players/:id" element={<PlayerPage />} />
              <Route path="*" element={<NotFound />} />
            </Route>
          </Routes>
        </BrowserRouter>
      </QueryClientProvider>
    </CrashGuard>
  );
}
