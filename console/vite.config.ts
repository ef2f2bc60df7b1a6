import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { compressed } from "./compressed.ts";

// For `npm run dev` beside a running stack: its address and an admin token (`python -m stack.client` prints both).
const gateway = process.env.CLARION_URL ?? "http://127.0.0.1:8080";
const token = process.env.CLARION_ADMIN_TOKEN;

export default defineConfig({
  base: "/console/",
  plugins: [react(), compressed()],
  resolve: { alias: { "~": new URL("./src", import.meta.url).pathname } },
  // The gateway replaces it in each response.
  html: { cspNonce: "__CSP_NONCE__" },
  build: {
    target: "es2023",
    manifest: true,
    // A data: URL would need a wider policy.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 600,
    rolldownOptions: {
      output: {
        // Large, used by few screens, and changed only when we take a new version of it.
        codeSplitting: {
          groups: [
            {
              name: "editor",
              test: /node_modules\/(codemirror|@codemirror|@lezer|@marijn|crelt|style-mod|w3c-keyname)\//,
            },
            // What many screens need, in one file instead of thirty: a browser asks for six at a time over HTTP/1.1. Each
            // screen loads it, so what only screens of one kind share stays out of it.
            { name: "common", minShareCount: 9, test: (id) => !id.includes("/src/screens/") },
          ],
        },
      },
    },
  },
  server: {
    host: "127.0.0.1",
    proxy: {
      "/api": {
        target: gateway,
        ws: true,
        headers: token ? { Authorization: `Bearer ${token}` } : {},
      },
      // The document that shows the HTML of mails has a policy of its own, which only the gateway gives it.
      "/console/frame": gateway,
    },
  },
});
