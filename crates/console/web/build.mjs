// Bundles the page into dist/, from where it is embedded in the binary.
import { build } from "esbuild";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";

await rm("dist", { recursive: true, force: true });
await mkdir("dist/assets", { recursive: true });
await build({
  entryPoints: { app: "src/start.ts" },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  outdir: "dist/assets",
  loader: { ".png": "dataurl" },
  legalComments: "none",
  logLevel: "warning",
});
await cp("src/index.html", "dist/index.html");
await cp("src/icon.svg", "dist/assets/icon.svg");
// The licence of what is bundled travels with it.
await writeFile("dist/assets/licences.txt", `Leaflet\n\n${await readFile("node_modules/leaflet/LICENSE", "utf8")}`);
