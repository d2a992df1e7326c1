/**
 * `/`: the status for people, in a browser. One file without any outside resource (status-page.html),
 * which asks `/status` each second while somebody looks at it. Its policy lets run what stands in it
 * and nothing else; whatever a repository is called, it is text there.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ownFile } from '../own-files.ts';
import type { Answer } from './answer.ts';

let answer: Promise<Answer> | null = null;

/** Read from the disk once, when somebody first asks. */
export function statusPage(): Promise<Answer> {
  answer ??= readPage();
  return answer;
}

async function readPage(): Promise<Answer> {
  const body = await readFile(ownFile('health/status-page.html'), 'utf8');
  return {
    status: 200,
    type: 'text/html; charset=utf-8',
    body,
    headers: {
      'content-security-policy': policyOf(body),
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'permissions-policy': 'camera=(), geolocation=(), microphone=()',
      'x-frame-options': 'DENY',
    },
  };
}

/** CSP 3: inline text runs when its hash is named. */
function policyOf(page: string): string {
  return [
    "default-src 'none'",
    `script-src ${hashOf(page, 'script')}`,
    `style-src ${hashOf(page, 'style')}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

function hashOf(page: string, element: 'script' | 'style'): string {
  const text = new RegExp(`<${element}>([^]*?)</${element}>`).exec(page)?.[1] ?? '';
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
