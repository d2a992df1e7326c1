/** A commit and its diff in; a mail out that `git am` makes the same commit of (git-format-patch). */
import { VERSION } from '../version.ts';

const SLUG_LENGTH = 52;

export interface PatchMail {
  /** `0001-fix-the-thing.patch` */
  readonly name: string;
  readonly text: Buffer;
}

/** @param diff one byte per character. */
export function mailOf(oid: string, commit: Buffer, diff: string, number: number): PatchMail {
  const end = commit.indexOf('\n\n');
  const header = commit.toString('latin1', 0, end < 0 ? commit.length : end + 1);
  const message = end < 0 ? '' : commit.toString('utf8', end + 2).trimEnd();
  const [, name = '', email = '', seconds = '0', zone = '+0000'] =
    /^author (.*?) ?<([^>]*)> (-?\d+) ([+-]\d{4})$/m.exec(header) ?? [];
  const [subject = '', ...rest] = message.split(/\n(?:\s*\n)+/);
  const body = rest.length === 0 ? '' : `${rest.join('\n\n')}\n`;
  const author = Buffer.from(name, 'latin1').toString('utf8');
  const lines = [
    `From ${oid} Mon Sep 17 00:00:00 2001`,
    `From: ${encoded(author)} <${email}>`,
    `Date: ${dateOf(Number(seconds), zone)}`,
    `Subject: [PATCH] ${encoded(subject.replace(/\s+/g, ' ').trim())}`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=UTF-8',
    'Content-Transfer-Encoding: 8bit',
  ];
  const text = `${lines.join('\n')}\n\n${body}---\n\n`;
  const slug = subject
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, SLUG_LENGTH);
  return {
    name: `${String(number).padStart(4, '0')}-${slug.replaceAll(/^-+|-+$/g, '')}.patch`,
    text: Buffer.concat([
      Buffer.from(text),
      Buffer.from(diff, 'latin1'),
      Buffer.from(`-- \nmount-agent ${VERSION}\n\n`),
    ]),
  };
}

/** RFC 2047, where it is not ASCII; in pieces, as no word may be longer than 75 characters. */
function encoded(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  return (text.match(/.{1,10}/gsu) ?? [])
    .map((piece) => `=?UTF-8?B?${Buffer.from(piece).toString('base64')}?=`)
    .join('\n ');
}

/** As RFC 2822 has it, in the author's zone. */
function dateOf(seconds: number, zone: string): string {
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3));
  const local = new Date((seconds + (zone.startsWith('-') ? -60 : 60) * minutes) * 1000);
  return local.toUTCString().replace('GMT', zone);
}
