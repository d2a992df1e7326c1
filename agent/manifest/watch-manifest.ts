/**
 * Tells when the manifest file was replaced or written. In: its path and the version that the caller has
 * read; out: a call when it is another one already, and per burst of changes. Events say where to look, never what is true: the caller reads the file and compares.
 */
import { statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { errnoOf } from '../errors.ts';
import { versionOf } from './read-manifest.ts';

export interface WatchManifestContext {
  readonly path: string;
  /** What was replaced after it was read and before it is watched is not to be missed. */
  readonly readVersion: string;
  readonly onChange: () => void;
}

/** A writer's burst of events is answered by one call. */
const SETTLE_MS = 200;
/** How often to look where the system has no watches left. */
const POLL_MS = 5000;
/** The link that Kubernetes swaps when it replaces the files of a Secret. */
const KUBERNETES_DATA = '..data';

export function watchManifest(context: WatchManifestContext): Disposable {
  return new ManifestWatch(context);
}

class ManifestWatch implements Disposable {
  readonly #context: WatchManifestContext;
  #close: () => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(context: WatchManifestContext) {
    this.#context = context;
    this.#close = this.#watch();
    if (this.#version() !== context.readVersion) this.#settle();
  }

  [Symbol.dispose](): void {
    this.#close();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #watch(): () => void {
    const { path } = this.#context;
    const names = [basename(path), KUBERNETES_DATA];
    try {
      const watcher = watch(dirname(path), (_event, name) => {
        // The run directory is often the manifest's too, and other files change there all the time.
        if (name === null || names.includes(name)) this.#settle();
      });
      watcher.on('error', () => {
        watcher.close();
        this.#close = this.#poll();
      });
      watcher.unref();
      return () => {
        watcher.close();
      };
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      return this.#poll();
    }
  }

  #poll(): () => void {
    let seen = this.#version();
    const timer = setInterval(() => {
      const version = this.#version();
      if (version === seen) return;
      seen = version;
      this.#settle();
    }, POLL_MS);
    timer.unref();
    return () => {
      clearInterval(timer);
    };
  }

  #version(): string {
    const stats = statSync(this.#context.path, { bigint: true, throwIfNoEntry: false });
    return stats === undefined ? '' : versionOf(stats);
  }

  #settle(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#context.onChange, SETTLE_MS).unref();
  }
}
