/**
 * Colours by meaning. Without colour every function gives its text back; whether there is colour
 * (a terminal, no NO_COLOR) is decided by the caller.
 */

export interface Palette {
  readonly good: (text: string) => string;
  readonly warning: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly strong: (text: string) => string;
  readonly faint: (text: string) => string;
}

export function createPalette(colour: boolean): Palette {
  const sgr = (on: number, off: number) => (text: string) =>
    colour && text !== '' ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  return {
    good: sgr(32, 39),
    warning: sgr(33, 39),
    bad: sgr(31, 39),
    strong: sgr(1, 22),
    faint: sgr(2, 22),
  };
}
