/**
 * What every object goes through when its content is at hand, whoever made it: its header before
 * it for SHA-1, the links of the history, and a call to TypeScript, which hashes it (the native SHA-1
 * is four times faster than any in here) and writes files.
 */
import { BLOB, COMMIT, TAG, TREE } from './table';
import { takeLinks } from './links';

/** The object of `type` and `row` is [content, content + size); what is hashed begins at `from`. */
declare function made(row: i32, type: i32, from: usize, content: usize, size: u32): void;

/** Names that end in a space, last byte first in memory. */
const COMMIT_NAME: u64 = 0x20_74_69_6d_6d_6f_63;
const TREE_NAME: u64 = 0x20_65_65_72_74;
const BLOB_NAME: u64 = 0x20_62_6f_6c_62;
const TAG_NAME: u64 = 0x20_67_61_74;

let collects: bool = false;

export function setCollects(value: bool): void {
  collects = value;
}

/** HEADROOM before `content` is free; the rest as for takeLinks. */
export function takeObject(
  row: i32,
  type: i32,
  content: usize,
  size: u32,
  sameBegin: u32,
  sameEnd: u32,
): void {
  made(row, type, putHeader(type, content, size), content, size);
  if (collects && type !== BLOB) takeLinks(row, type, content, size, sameBegin, sameEnd);
}

/** "type size NUL" right before `content`; its address. */
function putHeader(type: i32, content: usize, size: u32): usize {
  let at = content - 1;
  store<u8>(at, 0);
  let rest = size;
  do {
    store<u8>(--at, 0x30 + (rest % 10));
    rest /= 10;
  } while (rest > 0);
  let name = BLOB_NAME;
  let length: u32 = 5;
  if (type === TREE) {
    name = TREE_NAME;
  } else if (type === COMMIT) {
    name = COMMIT_NAME;
    length = 7;
  } else if (type === TAG) {
    name = TAG_NAME;
    length = 4;
  }
  const from = at - length;
  for (let index: u32 = 0; index < length; index++) {
    store<u8>(from + index, u8(name >> (index << 3)));
  }
  return from;
}
