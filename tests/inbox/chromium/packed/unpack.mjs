// Unpack the browser into the folder that is named: the package unpacks it into the folder for temporary files.
process.env.TMPDIR = process.argv[2];
const { default: chromium } = await import("@sparticuz/chromium");
await chromium.executablePath();
