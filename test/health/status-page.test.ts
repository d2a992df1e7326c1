import { networkInterfaces } from 'node:os';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { TransportError } from '../../agent/errors.ts';
import { serveHealth } from '../../agent/health/health-server.ts';
import type { HealthContext } from '../../agent/health/health-server.ts';
import { createMetrics } from '../../agent/health/metrics.ts';
import { reportOf } from '../../agent/error-report.ts';
import type { StatusTable } from '../../agent/status.ts';
import { Token } from '../../agent/token.ts';
import { NESTED } from '../terminal/fixtures.ts';
import { Browser } from './browser.ts';
import type { Page } from './browser.ts';
import { AT_RISK, ask, newTable, recordLog, resourceAt, tableOfTwo } from './fixtures.ts';

const POLL = { timeout: 20_000, interval: 50 };
const STATUS_TOKEN = 'status-token-canary-0123456789';

let browser: Browser;
let status: StatusTable;
let served: AsyncDisposable | null = null;

beforeAll(async () => {
  browser = await Browser.open();
});
afterAll(() => browser[Symbol.asyncDispose]());
beforeEach(() => {
  status = tableOfTwo();
});
afterEach(() => served?.[Symbol.asyncDispose]());

async function serve(options: Partial<HealthContext> = {}): Promise<number> {
  const { log, redactor } = recordLog();
  const server = await serveHealth({
    listen: [{ host: '127.0.0.1', port: 0 }],
    status,
    metrics: createMetrics({ status, version: '1.2.3', nodeVersion: 'v20.0.0' }),
    redact: (text) => redactor.redact(text),
    log,
    ...options,
  });
  served = server;
  return server.addresses[0]!.port;
}

function reads(page: Page, text: string | RegExp): Promise<void> {
  return expect.poll(() => page.text(), POLL).toMatch(text);
}

const READY = {
  phase: 'ready' as const,
  credential: 'ok' as const,
  head: { ref: 'refs/heads/main', oid: '1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d' },
};

it('is one file that may load and run nothing but itself, for whoever may read /status', async () => {
  const port = await serve();
  const { status: code, headers, text } = await ask({ port, path: '/' });
  expect(code).toBe(200);
  expect(headers['content-type']).toBe('text/html; charset=utf-8');
  const policy = String(headers['content-security-policy']);
  expect(policy).toContain("default-src 'none'; script-src 'sha256-");
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
  expect(text.replaceAll("xmlns='http://www.w3.org/2000/svg'", '')).not.toMatch(/https?:\/\/\w/);
  expect(text).not.toMatch(/innerHTML|insertAdjacentHTML|document\.write|\son\w+=/);
  expect(Buffer.byteLength(text)).toBeLessThan(32_768);
  expect((await ask({ port, path: '/', method: 'POST' })).status).toBe(405);
  expect((await ask({ port, path: '/', headers: { origin: 'http://x' } })).status).toBe(403);
});

it('shows clones as they go on, work at risk, faults, and a daemon that is gone and comes back', async () => {
  const port = await serve();
  const page = await browser.page(`http://127.0.0.1:${port}/`);
  await page.show({ width: 1180, height: 800 });
  await reads(page, '0 of 2 ready');
  const progress = {
    received_bytes: 23e6,
    objects: 45,
    total_objects: 100,
    files: 0,
    total_files: 0,
  };
  status.update('/app/web', { phase: 'receiving', progress });
  await reads(page, '45 % of 100 objects, 23\u00a0MB');
  expect(await page.evaluate('document.querySelector("progress").value')).toBe(45);
  status.update('/app/web', { ...READY, at_risk: AT_RISK });
  const sso = new TransportError('TRANSPORT_SSO_REQUIRED', 'expected an authorised token');
  status.update('/app/api', { phase: 'failed', error: reportOf(sso, null) });
  await reads(page, 'Work in 1 repository is at risk');
  await reads(page, /TRANSPORT_SSO_REQUIRED\s+expected an authorised token\s+Authorise the token/);
  await reads(
    page,
    /1 staged, 2 changed, 1 untracked \(1\.2\u00a0kB\), 3 unpushed commits, 1 stash/,
  );
  expect(await page.evaluate('document.querySelector("progress").hidden')).toBe(true);

  const repositories = [{ ...NESTED, path: 'lib', unstaged: 1 }];
  status.update('/app/web', { at_risk: { ...AT_RISK, repositories } });
  await reads(page, '1 stash, in lib: 1 changed');
  await page.evaluate('document.querySelector("details").open = true');
  await reads(page, /fix: 3 unpushed commits\s+src\/a\.ts\s+src\/b\.ts/);
  expect(page.complaints).toEqual([]);

  await served?.[Symbol.asyncDispose]();
  await reads(page, /cannot reach the daemon; it keeps trying\. What stands below is \d+ s old/);
  status.update('/app/web', { at_risk: null });
  status.update('/app/api', { ...READY, error: null });
  await serve({ listen: [{ host: '127.0.0.1', port }] });
  await reads(page, 'All work is safe');
  expect(await page.evaluate('document.querySelector("[role=alert]").hidden')).toBe(true);
});

it('whatever a repository, a branch or a file is called, it is text', async () => {
  const evil = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>';
  status = newTable();
  status.begin('</script><script>window.pwned=1</script>', [
    { ...resourceAt(`/app/${evil}`), url: `javascript:window.pwned=1//${evil}` },
  ]);
  status.update(`/app/${evil}`, {
    ...READY,
    head: { ref: `refs/heads/${evil}`, oid: null },
    at_risk: { ...AT_RISK, paths: [evil, 'a\u202egnp.exe'], operation: evil, unknown: evil },
    error: { ...reportOf(new TransportError('TRANSPORT_REMOTE', evil), null), remedy: evil },
  });
  const page = await browser.page(`http://127.0.0.1:${await serve()}/`);
  await page.show({ width: 375, height: 800 });
  await page.send('Page.bringToFront');
  await reads(page, 'Work in 1 repository is at risk');
  await page.evaluate('document.querySelector("details").open = true');
  await reads(page, 'a\uFFFDgnp.exe');
  const shown = await page.text();
  expect(shown.split('<img src=x onerror=').length).toBeGreaterThan(7);
  expect(await page.evaluate('window.pwned === undefined')).toBe(true);
  expect(await page.evaluate('document.querySelectorAll("img, script + script, a").length')).toBe(
    0,
  );
  expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
  expect(page.complaints).toEqual([]);
  // The policy, not only the care of the script: what is put in by force is refused as well.
  await page.evaluate(`try { document.body.innerHTML = ${JSON.stringify(evil)} } catch {}`);
  await expect
    .poll(() => page.complaints.join(), POLL)
    .toMatch(/TrustedHTML|Content Security Policy/);
  expect(await page.evaluate('window.pwned === undefined')).toBe(true);
});

it('is light and dark, with contrast, and a table to a reader on a phone as well', async () => {
  status.update('/app/web', { ...READY, at_risk: AT_RISK });
  const page = await browser.page(`http://127.0.0.1:${await serve()}/`);
  await reads(page, 'Work in 1 repository is at risk');
  for (const dark of [false, true]) {
    await page.show({ width: 375, height: 800, dark });
    const worst = await page.evaluate(`{${LEAST_CONTRAST}}`);
    expect(worst, dark ? 'dark' : 'light').toBeGreaterThan(4.5);
    const scheme = `matchMedia('(prefers-color-scheme: dark)').matches`;
    expect(await page.evaluate(scheme)).toBe(dark);
  }
  const { nodes } = (await page.send('Accessibility.getFullAXTree')) as {
    nodes: { role?: { value: string } }[];
  };
  const roles = nodes.map(({ role }) => role?.value);
  for (const role of ['table', 'columnheader', 'rowheader', 'cell', 'status']) {
    expect(roles).toContain(role);
  }
});

/** Runs in the page: the least contrast (WCAG 2) of any text with what it stands on. */
const LEAST_CONTRAST = `
  const numbers = (color) => (color.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = (color) => {
    const [red, green, blue] = numbers(color).map((value) => {
      const part = value / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrasts = [...document.querySelectorAll('body *')].flatMap((element) => {
    const texts = [...element.childNodes].filter((node) => node.nodeType === 3);
    if (!texts.some(({ data }) => data.trim() !== '')) return [];
    if (element.getClientRects().length === 0) return [];
    let ground = element;
    while (numbers(getComputedStyle(ground).backgroundColor)[3] === 0) ground = ground.parentElement;
    const pair = [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor];
    const [low, high] = pair.map(luminance).sort((a, b) => a - b);
    return [(high + 0.05) / (low + 0.05)];
  });
  Math.min(...contrasts);`;

it('asks nothing while nobody looks', async () => {
  let asked = 0;
  const port = await serve({
    redact: (text) => {
      asked++;
      return text;
    },
  });
  const page = await browser.page(`http://127.0.0.1:${port}/`);
  await reads(page, '0 of 2 ready');
  const setHidden = (hidden: boolean): Promise<unknown> =>
    page.evaluate(`Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'))`);
  await setHidden(true);
  // Let what is under way end: as many answers as may have been asked for before.
  await page.evaluate('new Promise((resolve) => setTimeout(resolve, 200))');
  const before = asked;
  await page.evaluate('new Promise((resolve) => setTimeout(resolve, 2500))');
  expect(asked).toBe(before);
  await setHidden(false);
  await expect.poll(() => asked, POLL).toBeGreaterThan(before);
});

const address = Object.values(networkInterfaces())
  .flatMap((each) => each ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address;

it.skipIf(address === undefined)(
  'from another machine it asks for the token, and keeps it in memory only (needs an address beside loopback)',
  async () => {
    const port = await serve({
      listen: [{ host: '0.0.0.0', port: 0 }],
      statusToken: new Token(STATUS_TOKEN),
    });
    const page = await browser.page(`http://${address ?? ''}:${port}/`);
    await reads(page, 'This page needs a token');
    expect(await page.text()).not.toContain('acme');
    const enter = (token: string): Promise<unknown> =>
      page.evaluate(`document.getElementById('token').value = ${JSON.stringify(token)};
        document.querySelector('form button').click()`);
    await enter('a-wrong-one-0123456789');
    await reads(page, 'The daemon refused this token');
    await enter(STATUS_TOKEN);
    await reads(page, '0 of 2 ready');
    const kept = await page.evaluate(
      'JSON.stringify([location.href, document.cookie, { ...localStorage }, { ...sessionStorage }, document.documentElement.outerHTML, document.getElementById("token").value])',
    );
    expect(kept).not.toContain(STATUS_TOKEN);
    await page.send('Page.reload');
    await reads(page, 'This page needs a token');
  },
);

it.skipIf(address === undefined)(
  'without a status token it is not there for another machine, as /status is not (needs an address beside loopback)',
  async () => {
    const port = await serve({ listen: [{ host: '0.0.0.0', port: 0 }] });
    const reply = await ask({ host: address ?? '', port, path: '/' });
    expect(reply.status).toBe(403);
    expect(reply.text).toContain('STATUS_TOKEN_MISSING');
  },
);
