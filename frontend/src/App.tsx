import { QueryClientProvider } from "@tanstack/react-query";
import { LazyMotion, MotionConfig } from "motion/react";
import { lazy, useState } from "react";
import { BrowserRouter, Route, Routes } from "react-router";
import { BoardPage } from "./components/board/BoardPage";
import { CrashGuard } from "./components/layout/Crash";
import { NotFound } from "./components/layout/NotFound";
import { Shell } from "./components/layout/Shell";
import { createQueryClient } from "./utils/api/queries";

const PlayerPage = lazy(async () => {
  const { PlayerPage: component } = await import("./components/player/PlayerPage");
  return { default: component };
});

const loadFeatures = async () => (await import("./utils/motionFeatures")).features;

export function App() {
  const [client] = useState(createQueryClient);
  return (
    <CrashGuard>
      <QueryClientProvider client={client}>
        <LazyMotion features={loadFeatures} strict={true}>
          <MotionConfig reducedMotion="user">
            <BrowserRouter>
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
          </MotionConfig>
        </LazyMotion>
      </QueryClientProvider>
    </CrashGuard>
  );
}
