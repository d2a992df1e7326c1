#!/usr/bin/env node
/** argv, env and signals in, exit code out. */
import { VERSION } from './version.ts';

console.log(VERSION);
