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

/** What a byte adds, with so many bytes of the step behind it. */
function ofByte(base: usize, byte: u32, behind: usize): u32 {
  return load<u32>(base + (byte << 2) + behind * TABLE_BYTES);
}

function ofWord(base: usize, word: u32, behind: usize): u32 {
  return (
    ofByte(base, word & 255, behind + 3) ^
    ofByte(base, (word >> 8) & 255, behind + 2) ^
    ofByte(base, (word >> 16) & 255, behind + 1) ^
    ofByte(base, word >> 24, behind)
  );
}

/** As ofWord() of the word there; bytes of their own are loaded faster than they are cut from a word. */
function ofBytes(base: usize, from: usize, behind: usize): u32 {
  return (
    ofByte(base, load<u8>(from), behind + 3) ^
    ofByte(base, load<u8>(from, 1), behind + 2) ^
    ofByte(base, load<u8>(from, 2), behind + 1) ^
    ofByte(base, load<u8>(from, 3), behind)
  );
}

export function crc32(from: usize, end: usize): u32 {
  const base = tables;
  let crc: u32 = ~0;
  for (; end - from >= 16; from += 16) {
    crc =
      ofWord(base, load<u32>(from) ^ crc, 12) ^
      ofBytes(base, from + 4, 8) ^
      ofBytes(base, from + 8, 4) ^
      ofBytes(base, from + 12, 0);
  }
  for (; end - from >= 4; from += 4) crc = ofWord(base, load<u32>(from) ^ crc, 0);
  for (; from < end; from++) crc = (crc >> 8) ^ ofByte(base, (crc ^ load<u8>(from)) & 255, 0);
  return ~crc;
}
