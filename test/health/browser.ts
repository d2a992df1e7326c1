/**
 * A real Chromium without a window, by its own protocol (CDP) over a pipe: pages that can be asked,
 * resized and photographed. Each browser has a fresh profile, and whatever a page complains of is kept.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-extensions',
  '--no-proxy-server',
  '--hide-scrollbars',
  '--remote-debugging-pipe',
];

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly sessionId?: string;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

interface Waiter {
  readonly resolve: (result: Record<string, unknown>) => void;
  readonly reject: (error: Error) => void;
}

export class Browser implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, Waiter>();
  readonly #pages = new Map<string, Page>();
  #lastId = 0;
  #rest = '';

  private constructor(child: ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
    (child.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => {
      this.#take(text);
    });
    child.once('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the browser has ended'));
    });
  }

  static async open(): Promise<Browser> {
    const profile = await mkdtemp(join(tmpdir(), 'chromium-'));
    const child = spawn('chromium', [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], {
      // A home of its own: crash reports, caches and fonts go nowhere else.
      env: { PATH: process.env['PATH'] ?? '', HOME: profile, TMPDIR: profile },
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
      detached: true,
    });
    await once(child, 'spawn');
    return new Browser(child, profile);
  }

  async page(url: string): Promise<Page> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const attached = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const sessionId = String(attached['sessionId']);
    const page = new Page((method, params) => this.send(method, params, sessionId));
    this.#pages.set(sessionId, page);
    for (const domain of ['Page', 'Runtime', 'Log']) await page.send(`${domain}.enable`);
    await page.send('Page.navigate', { url });
    return page;
  }

  send(
    method: string,
    params: Record<string, unknown> = {},
    sessionId?: string,
  ): Promise<Record<string, unknown>> {
    const id = ++this.#lastId;
    const message = { id, method, params, ...(sessionId === undefined ? {} : { sessionId }) };
    (this.#child.stdio[3] as Writable).write(`${JSON.stringify(message)}\0`);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid } = this.#child;
    if (this.#child.exitCode === null && pid !== undefined) {
      const ended = once(this.#child, 'exit');
      // Its renderers are in its process group.
      process.kill(-pid, 'SIGKILL');
      await ended;
    }
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  #take(text: string): void {
    const messages = (this.#rest + text).split('\0');
    this.#rest = messages.pop() ?? '';
    for (const message of messages) this.#handle(JSON.parse(message) as Message);
  }

  #handle({ id, method, params, sessionId, result, error }: Message): void {
    if (id === undefined) {
      this.#pages.get(sessionId ?? '')?.hear(method ?? '', params ?? {});
      return;
    }
    const waiter = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) waiter?.resolve(result ?? {});
    else waiter?.reject(new Error(error.message));
  }
}

type Send = (method: string, params?: Record<string, unknown>) => Promise<Record<string, unknown>>;

export interface View {
  readonly width: number;
  readonly height: number;
  readonly dark?: boolean;
  /** Device pixels per CSS pixel. */
  readonly scale?: number;
}

export class Page {
  readonly send: Send;
  /** Errors, refusals by the page's policy, dialogs: everything that a good page does not do. */
  readonly complaints: string[] = [];

  constructor(send: Send) {
    this.send = send;
  }

  hear(method: string, params: Record<string, unknown>): void {
    const isError = ['Runtime.exceptionThrown', 'Page.javascriptDialogOpening'].includes(method);
    if (isError || method === 'Log.entryAdded' || method === 'Runtime.consoleAPICalled') {
      this.complaints.push(`${method}: ${JSON.stringify(params)}`);
    }
  }

  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (answer['exceptionDetails'] !== undefined) {
      throw new Error(JSON.stringify(answer['exceptionDetails']));
    }
    return (answer['result'] as { value?: unknown }).value;
  }

  /** What a person can read. */
  async text(): Promise<string> {
    return String(await this.evaluate('document.body?.innerText ?? ""'));
  }

  async show({ width, height, dark = false, scale = 1 }: View): Promise<void> {
    await this.send('Emulation.setDeviceMetricsOverride', {
      ...{ width, height, mobile: width < 600, deviceScaleFactor: scale },
    });
    const value = dark ? 'dark' : 'light';
    await this.send('Emulation.setEmulatedMedia', {
      features: [{ name: 'prefers-color-scheme', value }],
    });
  }

  async screenshot(): Promise<Buffer> {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png' });
    return Buffer.from(String(data), 'base64');
  }
}
