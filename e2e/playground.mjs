// Uses the playground as a person does, in a real Chromium: one window listens, a second one publishes.
//
//   HARK_URL    where hark serves                     HARK_TOKEN  an access token that may subscribe and publish
//   ARTIFACTS   folder for playground.png (made)      CHROMIUM    the browser; default: the first one on PATH
//
// Exits with 0 when the published event stood in the listening window, else with 1 and one line that says why.
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

const stepMilliseconds = 20_000;
const wholeMilliseconds = 90_000;
const flags = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
];

const url = need('HARK_URL').replace(/\/$/, '');
const token = need('HARK_TOKEN');
const artifacts = need('ARTIFACTS');
const executablePath = process.env.CHROMIUM || onPath('chromium', 'chromium-browser', 'google-chrome');
mkdirSync(artifacts, { recursive: true });

setTimeout(() => fail(`not done within ${wholeMilliseconds / 1000} s`), wholeMilliseconds).unref();
const profile = mkdtempSync(join(tmpdir(), 'hark-playground-'));
process.on('exit', () => rmSync(profile, { recursive: true, force: true, maxRetries: 5 }));

const browser = await chromium
  .launchPersistentContext(profile, { executablePath, args: flags, viewport: { width: 1280, height: 800 } })
  .catch((err) => fail(`start ${executablePath}: ${firstLine(err)}`));
browser.setDefaultTimeout(stepMilliseconds);
const faults = []; // what must not happen at any time
browser.on('request', (request) => {
  const { origin, protocol } = new URL(request.url());
  if (origin !== new URL(url).origin && protocol !== 'data:') faults.push(`the page asked another host: ${request.url()}`);
  if (decodeURIComponent(request.url()).includes(token)) faults.push('the access token stood in a URL');
});
browser.on('weberror', (err) => faults.push(`the page threw: ${err.error().message}`));
browser.on('console', (message) => {
  if (/Content Security Policy/.test(message.text())) faults.push(message.text());
});

const listener = browser.pages()[0];
let doing = '';
try {
  doing = 'open the playground';
  await listener.goto(`${url}/playground`);
  await listener.locator('#hint').waitFor();

  doing = 'load the schema with the token';
  await listener.getByLabel('Access token').fill(token);
  await status(listener, 'ready');

  doing = 'run the subscription of the first tab';
  const subscribed = listener.waitForEvent('websocket').then((socket) =>
    socket.waitForEvent('framesent', (frame) => JSON.parse(frame.payload).type === 'subscribe'),
  );
  await Promise.all([subscribed, listener.getByLabel('Execute query').click()]);
  await status(listener, 'live');

  doing = 'open a second window with the same token';
  const [publisher] = await Promise.all([browser.waitForEvent('page'), listener.getByRole('link', { name: 'New window' }).click()]);
  await status(publisher, 'ready');

  doing = 'publish by the mutation of the second tab';
  await publisher.locator('.graphiql-tab-button', { hasText: 'Publish' }).click();
  await publisher.locator('.graphiql-query-editor .view-line', { hasText: 'publishEvents' }).waitFor();
  await publisher.getByLabel('Execute query').click();
  await answer(publisher, '"sequence"');

  doing = 'see the event in the first window';
  await listener.bringToFront();
  await answer(listener, 'SECRET_KEY1');
  await answer(listener, 'secret:update');
  await listener.screenshot({ path: join(artifacts, 'playground.png') });

  doing = 'look at what the page did besides';
  if (faults.length > 0) throw new Error(faults.join('; '));
  await browser.close();
} catch (err) {
  await explain(err);
}

/** status waits until the header of the page shows a state of the connection. */
async function status(page, state) {
  await page.locator(`#status[data-state=${state}]`).waitFor();
}

/** answer waits until the response pane of the page shows a text. */
async function answer(page, text) {
  await page.locator('.graphiql-response .view-line', { hasText: text }).first().waitFor();
}

/** explain fails with what was being done and what each window showed meanwhile. */
async function explain(err) {
  const shown = [];
  for (const page of browser.pages()) {
    const text = async (selector) => (await page.locator(selector).allInnerTexts()).join(' ').replace(/\s+/g, ' ');
    const seen = await Promise.all([text('#status'), text('.graphiql-response .view-lines')]).catch(() => ['gone']);
    shown.push(`window ${shown.length + 1} shows ${seen.join(', ')}`);
  }
  await listener.screenshot({ path: join(artifacts, 'playground-failed.png') }).catch(() => {});
  fail([`${doing}: ${firstLine(err)}`, ...shown, ...faults].join('; '));
}

function firstLine(err) {
  return err.message.split('\n')[0];
}

function fail(message) {
  console.error('playground:', message.replaceAll(token, '<token>'));
  process.exit(1);
}

function need(name) {
  const value = process.env[name];
  if (value) return value;
  console.error(`playground: set ${name}`);
  process.exit(1);
}

function onPath(...names) {
  for (const name of names)
    for (const folder of (process.env.PATH ?? '').split(delimiter)) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {} // look on
    }
  console.error(`playground: set CHROMIUM: none of ${names.join(', ')} is on PATH`);
  process.exit(1);
}
