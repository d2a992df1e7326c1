/** Run inside a pseudo-terminal: supervises argv as main.ts would, hands every signal on, ends with its code. */
import { pino } from 'pino';
import { superviseCommand } from '../../agent/entrypoint/supervise.ts';

const env: Record<string, string> = {};
for (const [name, value] of Object.entries(process.env)) if (value !== undefined) env[name] = value;

const command = superviseCommand({
  command: process.argv.slice(2),
  env,
  log: pino({ level: 'silent' }),
  graceMs: 5_000,
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGWINCH'] as const) {
  process.on(signal, () => {
    command.forward(signal);
  });
}
process.exitCode = await command.exitCode;
