/**
 * A secret that cannot be printed by accident: string conversion, JSON, and inspection show a
 * placeholder; reveal() is the only way in, so that every use can be found by its name.
 */
import { inspect } from 'node:util';

const PLACEHOLDER = '[token]';

export class Token {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The secret itself: for an Authorization header, a 0600 file, or a child meant to have it. */
  reveal(): string {
    return this.#value;
  }

  equals(other: Token): boolean {
    return this.#value === other.#value;
  }

  toString(): string {
    return PLACEHOLDER;
  }

  toJSON(): string {
    return PLACEHOLDER;
  }

  [inspect.custom](): string {
    return PLACEHOLDER;
  }
}

/**
 * Every form in which a token could stand in a text: raw, URL-encoded, and the part of its base64
 * (plain and URL-safe) that does not depend on the bytes around it, for each of three alignments.
 */
export function tokenForms(token: Token): string[] {
  const raw = token.reveal();
  const forms = new Set([raw, encodeURIComponent(raw)]);
  const bytes = Buffer.from(raw);
  for (let lead = 0; lead < 3; lead++) {
    const encoded = Buffer.concat([Buffer.alloc(lead), bytes]).toString('base64');
    // Characters that also carry bits of a neighbour are cut off at both ends.
    const start = lead === 0 ? 0 : lead + 1;
    const whole = Math.floor(((lead + bytes.length) * 8) / 6);
    const core = encoded.slice(start, whole);
    forms.add(core);
    forms.add(core.replaceAll('+', '-').replaceAll('/', '_'));
  }
  // A form so short that it would also hit ordinary words protects nothing.
  return [...forms].filter((form) => form.length >= 6);
}
