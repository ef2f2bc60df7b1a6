// Builds dist/, or another folder: `node build.mjs [--outDir FOLDER]`; runs the unit tests: `node build.mjs test`.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const shared = { bundle: true, format: "esm", target: "es2022", logLevel: "warning", legalComments: "none" };

async function buildAll(outdir) {
  rmSync(outdir, { recursive: true, force: true });
  await Promise.all([
    // For bundlers: the client is the application's own dependency.
    build({ ...shared, entryPoints: ["src/index.ts", "src/texts/de.ts"], outdir, packages: "external" }),
    // For a script element: one file with all that it needs.
    build({
      ...shared,
      entryPoints: { "clarion-inbox": "src/index.ts" },
      outdir,
      minify: true,
      banner: { js: "/* <clarion-inbox>, with centrifuge (MIT, https://github.com/centrifugal/centrifuge-js) */" },
    }),
  ]);
  const bundle = readFileSync(join(outdir, "clarion-inbox.js"));
  writeFileSync(join(outdir, "clarion-inbox.js.gz"), gzipSync(bundle, { level: 9 }));
  run("node_modules/typescript/bin/tsc", ["-p", ".", "--outDir", outdir]);
}

async function test() {
  const folder = mkdtempSync(join(tmpdir(), "inbox-"));
  try {
    const entryPoints = readdirSync("test").filter((name) => name.endsWith(".test.ts")).map((name) => `test/${name}`);
    await build({ ...shared, entryPoints, outdir: folder, platform: "node", outExtension: { ".js": ".mjs" } });
    run("--test", readdirSync(folder).map((name) => join(folder, name)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(program, args) {
  const done = spawnSync(process.execPath, [program, ...args], { stdio: "inherit" });
  if (done.status !== 0) throw new Error(`${program} failed`);
}

const { values, positionals } = parseArgs({
  options: { outDir: { type: "string", default: "dist" } },
  allowPositionals: true,
});
await (positionals[0] === "test" ? test() : buildAll(values.outDir));
