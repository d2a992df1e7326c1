/**
 * Text of the peer made fit for a message: one line, bounded, nothing in it that a terminal obeys.
 */
import { isPlainText } from '../plain-text.ts';

const SHOWN_CHARACTERS = 500;

/**
 * Each run of controls becomes one "?", those at the end go, and what is too long is cut. Controls are
 * C0 and C1, and the marks that reorder or hide text around them.
 */
export function maskControls(text: string): string {
  const masked = isPlainText(text) ? text.trimEnd() : withoutControls(text);
  return masked.length > SHOWN_CHARACTERS ? `${masked.slice(0, SHOWN_CHARACTERS)}…` : masked;
}

function withoutControls(text: string): string {
  return (
    text
      // git ends the words of band 3 with a line feed and a NUL.
      .replace(/[\p{Cc}\s]+$/u, '')
      .replace(/\s*[\r\n]+\s*/g, ' ')
      .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, '?')
  );
}
