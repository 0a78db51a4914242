import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { precompress } from "./scripts/precompress.ts";
import { viewer } from "./scripts/viewer.ts";

const {
  /** Where the service listens while the app is developed. */
  LEADERBOARD_URL: service = "http://127.0.0.1:8000",
  /** Where the app is published: social networks want the preview image's whole address. */
  PUBLIC_URL: publicUrl = "",
} = process.env;

export default defineConfig({
  plugins: [react(), tailwindcss(), viewer(), precompress()],
  define: {
    "import.meta.env.VITE_PUBLIC_URL": JSON.stringify(publicUrl),
  },
  build: {
    // What `scripts/size.mjs` reads, and what the browsers of the last two years run as it is.
    manifest: true,
    target: "baseline-widely-available",
  },
  server: {
    proxy: {
      "/api": service,
      "/docs": service,
      "/openapi.json": service,
      "/viewer": service,
      "/ws": { target: service, ws: true },
    },
  },
});
