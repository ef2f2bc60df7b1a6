// Runs the unit tests in test/ by Node.js's own runner, bundled as the console is, so that "~" leads to src: `npm test`.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";

const names = readdirSync("test").filter((name) => name.endsWith(".test.ts"));
const folder = mkdtempSync(join(tmpdir(), "console-"));
try {
  await build({
    configFile: false,
    logLevel: "warn",
    resolve: { alias: { "~": new URL("./src", import.meta.url).pathname } },
    ssr: { noExternal: true },
    build: {
      ssr: true,
      target: "es2023",
      outDir: folder,
      emptyOutDir: true,
      rolldownOptions: {
        input: Object.fromEntries(names.map((name) => [name.slice(0, -3), join("test", name)])),
        output: { entryFileNames: "[name].mjs" },
      },
    },
  });
  const files = names.map((name) => join(folder, `${name.slice(0, -3)}.mjs`));
  process.exitCode = spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit" }).status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
