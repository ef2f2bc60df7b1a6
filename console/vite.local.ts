import { mergeConfig, type Plugin } from "vite";
import base from "./vite.config.ts";

const session: Plugin = {
  name: "session",
  configureServer(server) {
    server.middlewares.use("/api/v1/admin/session", (_q, r) => {
      r.setHeader("content-type", "application/json");
      r.end(
        JSON.stringify({
          kind: "token",
          name: "admin",
          email: null,
          csrf_token: null,
          expires_at: null,
          memberships: [{ account_id: null, tenant_id: null, role: "owner" }],
        }),
      );
    });
  },
};
export default mergeConfig(base, { plugins: [session], cacheDir: "/tmp/trace/vite" });
