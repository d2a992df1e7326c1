/**
 * pino with a last line of defence: every finished line passes through a Redactor that knows each
 * token in every encoding, so that no code path, library or error can put one into the log.
 */
import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';
import { toAgentError } from './errors.ts';
import type { Host } from './host.ts';
import { tokenForms } from './token.ts';
import type { Token } from './token.ts';

export type Log = Logger;
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

const REDACTED = '[redacted]';

/** Replaces known secrets in text. Forms are kept for the process's life: old tokens stay secret. */
export class Redactor {
  readonly #forms = new Set<string>();

  add(token: Token): void {
    for (const form of tokenForms(token)) {
      this.#forms.add(form);
      // As the form stands inside a JSON string.
      this.#forms.add(JSON.stringify(form).slice(1, -1));
    }
  }

  redact(text: string): string {
    let clean = text;
    for (const form of this.#forms) clean = clean.replaceAll(form, REDACTED);
    return clean;
  }
}

export interface LogOptions {
  readonly level: LogLevel;
  /** Receives finished lines; standard error unless told, or a pretty printer on a terminal. */
  readonly destination: DestinationStream;
}

/** Errors are logged under `err`: code, message, remedy and data of an AgentError, stack of others. */
export function createLog(options: LogOptions, redactor: Redactor): Log {
  const { destination } = options;
  return pino(
    {
      level: options.level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: {
        err: (error: unknown) => {
          const agentError = toAgentError(error);
          const stack =
            agentError.code === 'INTERNAL' && error instanceof Error ? error.stack : undefined;
          return { ...agentError.toJSON(), stack };
        },
      },
    },
    {
      write: (line: string) => {
        destination.write(redactor.redact(line));
      },
    },
  );
}

/** Lines as they are, or pretty-printed: on a terminal unless told, and anywhere when told. */
export async function logDestination(
  format: 'json' | 'pretty' | null,
  { stderr, env }: Pick<Host, 'stderr' | 'env'>,
): Promise<DestinationStream> {
  const write = (line: string): void => void stderr.write(line);
  if (format === 'json' || (format === null && stderr.isTTY !== true)) return { write };
  const { prettyFactory } = await import('pino-pretty');
  const pretty = prettyFactory({
    colorize: stderr.isTTY === true && (env['NO_COLOR'] ?? '') === '',
    translateTime: 'SYS:HH:MM:ss',
  });
  return {
    write: (line) => {
      write(pretty(line));
    },
  };
}
