/**
 * `node fetch.ts URL SHA256 FILE`: a file of the web, if it is the one that was meant. It runs in a
 * bare image, without packages.
 */
import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';

const [url = '', sha256 = '', path = ''] = process.argv.slice(2);
const response = await fetch(url);
if (!response.ok) throw new Error(`${url}: expected 200, got ${response.status}`);
const content = Buffer.from(await response.arrayBuffer());
const got = createHash('sha256').update(content).digest('hex');
if (got !== sha256) throw new Error(`${url}: expected SHA-256 ${sha256}, got ${got}`);
await writeFile(path, content);
