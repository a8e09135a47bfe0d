// Unpack the browser, and the libraries that a machine without one lacks, into the folder that is named. The package
// itself unpacks into the folder for temporary files, and its libraries only where it believes to be in a cloud.
import { readFileSync, writeFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";

const folder = process.argv[2];
process.env.TMPDIR = folder;
const { default: chromium } = await import("@sparticuz/chromium");
await chromium.executablePath();
const libraries = new URL("node_modules/@sparticuz/chromium/bin/al2023.tar.br", import.meta.url);
writeFileSync(`${folder}/libraries.tar`, brotliDecompressSync(readFileSync(libraries)));
