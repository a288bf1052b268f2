// Walks with one of clients.mjs in a real Chromium, in a page of another origin, and prints what it gets as lines of
// JSON, until it is killed.
//
//   node browser.mjs CLIENT     HARK_URL, HARK_TOKEN; CHROMIUM, the browser; default: the first one on PATH
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';

const origin = 'http://page.example';
const folder = mkdtempSync(join(tmpdir(), 'hark-page-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));

const outfile = join(folder, 'page.js');
await build({ entryPoints: ['page.mjs'], bundle: true, format: 'esm', platform: 'browser', outfile, logLevel: 'error' });

const browser = await chromium.launchPersistentContext(join(folder, 'profile'), {
  executablePath: process.env.CHROMIUM || onPath('chromium', 'chromium-browser', 'google-chrome'),
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-features=LocalNetworkAccessChecks'],
});
const page = browser.pages()[0];
page.on('console', (message) => (message.type() === 'log' ? console.log(message.text()) : console.error(message.text())));
page.on('pageerror', (err) => console.error(err));
await page.route(`${origin}/**`, (route) => {
  if (route.request().url().endsWith('/page.js')) return route.fulfill({ contentType: 'text/javascript', body: readFileSync(outfile) });
  const config = JSON.stringify({ name: process.argv[2], url: process.env.HARK_URL, token: process.env.HARK_TOKEN });
  return route.fulfill({ contentType: 'text/html', body: `<script>globalThis.config = ${config}</script><script type="module" src="/page.js"></script>` });
});
await page.goto(`${origin}/`);

function onPath(...names) {
  for (const name of names)
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {} // look on
    }
  console.error(`set CHROMIUM: none of ${names.join(', ')} is on PATH`);
  process.exit(1);
}
