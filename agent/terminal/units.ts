/**
 * Numbers as a person reads them: bytes, durations, counts. Pure; decimal units as git and disks
 * have them; durations are rounded down, so that no more time is promised than there is.
 */

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86_400;

/** `0 B`, `1.2 kB`, `23 MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.round(value) >= 1000 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  // 9.96 would be shown as 10.0.
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${BYTE_UNITS[unit] ?? ''}`;
}

/** `0.4 s`, `45 s`, `12 min`, `4 h 12 min`, `2 d 3 h`. A negative duration is 0. */
export function formatDuration(ms: number): string {
  const tenths = Math.floor(Math.max(0, ms) / 100);
  const seconds = Math.floor(tenths / 10);
  if (tenths > 0 && seconds < 10) return `${(tenths / 10).toFixed(1)} s`;
  if (seconds < MINUTE_S) return `${seconds} s`;
  if (seconds < HOUR_S) return pair(seconds, MINUTE_S, 'min', 1, 's', 10);
  if (seconds < 2 * DAY_S) return pair(seconds, HOUR_S, 'h', MINUTE_S, 'min', 48);
  return pair(seconds, DAY_S, 'd', HOUR_S, 'h', Infinity);
}

/** @param bothBelow the small unit is left out from this many of the large ones on. */
function pair(
  seconds: number,
  largeS: number,
  large: string,
  smallS: number,
  small: string,
  bothBelow: number,
): string {
  const whole = Math.floor(seconds / largeS);
  const rest = Math.floor((seconds % largeS) / smallS);
  return whole >= bothBelow || rest === 0
    ? `${whole} ${large}`
    : `${whole} ${large} ${rest} ${small}`;
}

/** `12,345`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 stash`, `2 stashes`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
