/**
 * The certificates that a host's is checked against. Enters: the variables that git and Node obey.
 * Leaves: PEM texts, or null for Node's own default.
 */
import { errnoOf, TransportError } from '../errors.ts';
import type { CloneEnvironment } from './clone-job.ts';

/**
 * As git: GIT_SSL_CAINFO, else SSL_CERT_FILE, in place of the built-in roots; and NODE_EXTRA_CA_CERTS
 * beside either. null: Node's own default.
 */
export async function readCertificates(environment: CloneEnvironment): Promise<string[] | null> {
  const { GIT_SSL_CAINFO, SSL_CERT_FILE, NODE_EXTRA_CA_CERTS } = environment;
  const bundle = GIT_SSL_CAINFO ?? SSL_CERT_FILE;
  if (bundle === undefined && NODE_EXTRA_CA_CERTS === undefined) return null;
  // Loaded only where needed: it takes 5 ms.
  const { rootCertificates } = await import('node:tls');
  const roots = bundle === undefined ? [...rootCertificates] : [await readBundle(bundle)];
  return NODE_EXTRA_CA_CERTS === undefined
    ? roots
    : [...roots, await readBundle(NODE_EXTRA_CA_CERTS)];
}

async function readBundle(path: string): Promise<string> {
  try {
    // Loaded only where needed, as TLS is: it takes a millisecond.
    const { readFile } = await import('node:fs/promises');
    return await readFile(path, 'utf8');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    throw new TransportError(
      'TRANSPORT_TLS',
      `the certificate file ${path} cannot be read: ${errno}`,
      { cause: error, data: { path, errno } },
    );
  }
}
