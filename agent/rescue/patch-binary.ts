/** Bytes in; a `GIT binary patch` literal out, as git-apply reads it (diff.c, base85.c). */
import { deflateSync } from 'node:zlib';

const ALPHABET =
  '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~';
const LINE_BYTES = 52;

/** Both ways, so that the patch can be taken back. */
export function binaryPatch(before: Buffer, after: Buffer): string {
  return `GIT binary patch\n${literal(after)}\n${literal(before)}\n`;
}

function literal(content: Buffer): string {
  const packed = deflateSync(content);
  const lines = [`literal ${content.length}`];
  for (let at = 0; at < packed.length; at += LINE_BYTES) {
    const line = packed.subarray(at, at + LINE_BYTES);
    const { length } = line;
    const first = length <= 26 ? 64 + length : 70 + length;
    lines.push(String.fromCharCode(first) + base85(line));
  }
  return `${lines.join('\n')}\n`;
}

/** Four bytes to five characters, the last ones filled up with zeros. */
function base85(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 4) {
    let value = 0;
    for (let n = 0; n < 4; n++) value = value * 256 + (bytes[at + n] ?? 0);
    let group = '';
    for (let n = 0; n < 5; n++) {
      group = (ALPHABET[value % 85] ?? '') + group;
      value = Math.floor(value / 85);
    }
    text += group;
  }
  return text;
}
