/**
 * Stands in for the package string-width, with which yargs lays out its help: that one compiles a
 * regular expression of every emoji and asks ICU for a segmenter when it is loaded, 45 ms of each
 * start. Help is ASCII, where a character is a column.
 */
import { stripVTControlCharacters } from 'node:util';

export default function stringWidth(text: string): number {
  return stripVTControlCharacters(text).length;
}
