/**
 * A git bundle in, piece by piece; its prerequisites and then the bytes of its pack out
 * (gitformat-bundle, version 2). Its refs are passed over: a rescue has the ref files themselves.
 */
import { AgentError } from '../errors.ts';

const SIGNATURE = '# v2 git bundle\n';
/** A repository of 500,000 refs has some 50 MB of them. */
const HEADER_LIMIT_BYTES = 256 * 2 ** 20;
const PREREQUISITE = /^-([0-9a-f]{40})(?: |$)/;
const REF = /^[0-9a-f]{40} ./;

/**
 * @param onPrerequisites called once, before the first piece of the pack.
 * @throws RESCUE_INVALID
 */
export async function* readBundle(
  source: AsyncIterable<Uint8Array>,
  onPrerequisites: (oids: readonly string[]) => void,
): AsyncGenerator<Uint8Array> {
  const head: Buffer[] = [];
  let length = 0;
  let inPack = false;
  for await (const piece of source) {
    if (inPack) {
      yield piece;
      continue;
    }
    head.push(Buffer.from(piece));
    length += piece.length;
    if (length > HEADER_LIMIT_BYTES) throw invalid('its header has no end');
    // The end may lie across two pieces.
    const recent = Buffer.concat(head.slice(-2));
    if (recent.indexOf('\n\n') === -1) continue;
    const all = Buffer.concat(head);
    const end = all.indexOf('\n\n');
    onPrerequisites(parseHeader(all.toString('latin1', 0, end + 1)));
    inPack = true;
    head.length = 0;
    yield all.subarray(end + 2);
  }
  if (!inPack) throw invalid('it ends in its header');
}

function parseHeader(text: string): string[] {
  if (!text.startsWith(SIGNATURE)) throw invalid('it does not begin as one');
  const prerequisites: string[] = [];
  for (const line of text.slice(SIGNATURE.length, -1).split('\n')) {
    if (line === '') continue;
    const oid = PREREQUISITE.exec(line)?.[1];
    if (oid !== undefined) prerequisites.push(oid);
    else if (!REF.test(line)) throw invalid('a line of its header is no ref');
  }
  return prerequisites;
}

function invalid(why: string): AgentError {
  return new AgentError('RESCUE_INVALID', `a bundle in the rescue cannot be read: ${why}`);
}
