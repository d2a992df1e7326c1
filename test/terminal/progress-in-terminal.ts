/** Run inside a pseudo-terminal: shows a short clone on standard output. */
import { sleep } from '../../agent/lifetime.ts';
import { showProgress } from '../../agent/terminal/progress-display.ts';
import { CHECKING_OUT, READY, RECEIVING, tableOf } from './fixtures.ts';

const table = tableOf('/app/web', '/app/api');
// Not disposed of: its timer must not keep the process alive.
showProgress(table, process.stdout);
for (const change of [RECEIVING, CHECKING_OUT, READY]) {
  table.update('/app/web', change);
  await sleep(150);
}
