/**
 * CRC-32 as the idx of a pack wants it (gitformat-pack; the polynomial of ISO-HDLC), 16 bytes a step
 * by 16 tables (Intel's slicing). Reads nothing outside.
 */
const POLYNOMIAL: u32 = 0xedb88320;
const TABLE_BYTES: usize = 1024;

export const CRC_SCRATCH_BYTES: usize = 16 * TABLE_BYTES;

let tables: usize = 0;

/** Once per instance. */
export function initCrc32(scratch: usize): void {
  tables = scratch;
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (POLYNOMIAL & (0 - (crc & 1)));
    store<u32>(scratch + (byte << 2), crc);
  }
  for (let at: usize = 0; at < 15 * TABLE_BYTES; at += 4) {
    const crc = load<u32>(scratch + at);
    store<u32>(scratch + TABLE_BYTES + at, (crc >> 8) ^ load<u32>(scratch + ((crc & 255) << 2)));
  }
}

/** What the byte at `shift` in `word` adds, with so many bytes of the step behind it. */
function part(base: usize, word: u64, shift: u64, behind: usize): u32 {
  return load<u32>(base + (((<usize>(word >> shift)) & 255) << 2) + behind * TABLE_BYTES);
}

function parts(base: usize, word: u64, behind: usize): u32 {
  return (
    part(base, word, 0, behind + 7) ^
    part(base, word, 8, behind + 6) ^
    part(base, word, 16, behind + 5) ^
    part(base, word, 24, behind + 4) ^
    part(base, word, 32, behind + 3) ^
    part(base, word, 40, behind + 2) ^
    part(base, word, 48, behind + 1) ^
    part(base, word, 56, behind)
  );
}

export function crc32(from: usize, end: usize): u32 {
  const base = tables;
  let crc: u32 = ~0;
  for (; end - from >= 16; from += 16) {
    crc = parts(base, load<u64>(from) ^ crc, 8) ^ parts(base, load<u64>(from + 8), 0);
  }
  if (end - from >= 8) {
    crc = parts(base, load<u64>(from) ^ crc, 0);
    from += 8;
  }
  for (; from < end; from++) {
    crc = (crc >> 8) ^ load<u32>(base + (((crc ^ load<u8>(from)) & 255) << 2));
  }
  return ~crc;
}
