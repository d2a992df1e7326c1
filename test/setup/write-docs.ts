/** `npm run docs`: writes docs/ anew from the code. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { DOCS, documents } from './documents.ts';

mkdirSync(DOCS, { recursive: true });
for (const [name, write] of Object.entries(documents)) {
  writeFileSync(new URL(name, DOCS), await write());
}
