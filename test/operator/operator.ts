/**
 * `npm run operator [-- --fault NAME] [--show]`: plants each fault and looks for its cause with the
 * commands of docs/operations.md alone. Prints the table of that document; ends with 1 when a cause
 * was not found. test/image/operator.case.ts does the same in containers.
 */
import { parseArgs } from 'node:util';
import { WORDS_PER_MINUTE, diagnose } from './diagnose.ts';
import { FAULTS } from './faults.ts';

const { values } = parseArgs({
  options: { fault: { type: 'string' }, show: { type: 'boolean', default: false } },
});
let missed = 0;
console.log('| fault | code | found by command | commands took | words to read | in all |');
console.log('|---|---|--:|--:|--:|--:|');
for (const fault of FAULTS) {
  if (values.fault !== undefined && values.fault !== fault.name) continue;
  const { name, code } = fault;
  const { command, commandsMs, words, output } = await diagnose(fault);
  if (command === null) missed += 1;
  const seconds = commandsMs / 1000 + (words / WORDS_PER_MINUTE) * 60;
  const figures = `${(commandsMs / 1000).toFixed(1)} s | ${words} | ${seconds.toFixed(0)} s`;
  console.log(`| ${name} | \`${code}\` | ${command ?? 'none'} | ${figures} |`);
  if (values.show || command === null) console.log(output);
}
process.exitCode = missed === 0 ? 0 : 1;
