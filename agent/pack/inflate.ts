/** The faster Inflater that this version of Node can give: the kept handle, or the public API. */
import { HandleInflater, handleWorks } from './inflate-handle.ts';
import { PublicInflater } from './inflate-public.ts';
import type { Inflater } from './inflater.ts';

export function createInflater(): Inflater {
  return handleWorks() ? new HandleInflater() : new PublicInflater();
}
