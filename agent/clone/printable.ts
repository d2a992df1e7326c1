/**
 * Text of the peer made fit for a message: one line, bounded, nothing in it that a terminal obeys.
 */

const SHOWN_CHARACTERS = 500;

/** C0 and C1 controls, and the marks that reorder or hide text around them. */
const CONTROLS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu;

/** Each run of controls becomes one "?", those at the end go, and what is too long is cut. */
export function maskControls(text: string): string {
  // git ends the words of band 3 with a line feed and a NUL.
  const masked = text
    .replace(/[\p{Cc}\s]+$/u, '')
    .replace(/\s*[\r\n]+\s*/g, ' ')
    .replace(CONTROLS, '?');
  return masked.length > SHOWN_CHARACTERS ? `${masked.slice(0, SHOWN_CHARACTERS)}…` : masked;
}
