/** A Node of its own, with flags: says whether the code beside the kernel at PATH is taken. */
import { readFileSync } from 'node:fs';
import { readKernelCode } from '../../agent/pack/kernel-code.ts';

const [, , path = ''] = process.argv;
const module = readKernelCode(path, readFileSync(path));
console.log(module === null ? 'refused' : 'taken');
