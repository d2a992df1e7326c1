/**
 * The messages that agent/ logs, read from its sources, and docs/log-messages.md. A message is the
 * string beside the fields; what varies in it is `…`.
 */
import ts from 'typescript';
import { readSources } from '../sources.ts';
import { LOG_SECTIONS } from './log-messages.ts';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
const SHOWN_WORDS = 60;

/** Message → the levels at which it is logged. */
export function messagesInSources(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const [path, text] of readSources()) {
    const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
    const visit = (node: ts.Node): void => {
      const logged = loggedBy(node);
      if (logged !== null) {
        const levels = found.get(logged.message) ?? new Set();
        found.set(logged.message, levels.add(logged.level));
      }
      ts.forEachChild(node, visit);
    };
    visit(file);
  }
  return found;
}

function loggedBy(node: ts.Node): { readonly level: string; readonly message: string } | null {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return null;
  const { name, expression } = node.expression;
  const level = name.text;
  if (!LEVELS.includes(level) || !isLog(expression)) return null;
  const message = node.arguments.at(-1);
  return message === undefined ? null : { level, message: messageOf(message) };
}

/** `log`, `this.#log`, `context.log`, `this.#context.log`. */
function isLog(node: ts.Expression): boolean {
  if (ts.isIdentifier(node)) return node.text === 'log';
  return ts.isPropertyAccessExpression(node) && /^#?log$/.test(node.name.text);
}

function messageOf(node: ts.Expression): string {
  return shortened(textOf(node).replaceAll(/…+/g, '…'));
}

function textOf(node: ts.Expression): string {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join('');
  }
  if (ts.isBinaryExpression(node)) return textOf(node.left) + textOf(node.right);
  return '…';
}

/** Of a long one the first clause: the rest is advice that stands in the line itself. */
function shortened(message: string): string {
  const colon = message.indexOf(': ');
  if (message.length <= SHOWN_WORDS || colon < 0) return message;
  return `${message.slice(0, colon)}: …`;
}

export function logDocument(): string {
  const levels = messagesInSources();
  const sections = Object.entries(LOG_SECTIONS).map(([title, messages]) => {
    const rows = messages.map(({ message, meaning }) => {
      const at = [...(levels.get(message) ?? [])].join(', ');
      return `| \`${message}\` | ${at} | ${meaning} |`;
    });
    return [`## ${title}`, '', '| `msg` | level | meaning |', '|---|---|---|', ...rows].join('\n');
  });
  return `# The log

One line per fact on standard error: JSON, or pretty on a terminal (\`--log-format\`). \`level\`, \`time\` and \`msg\`
are in every line, \`mount\` (the mount path) in those of one mount, \`err\` (\`code\`, \`message\`, \`remedy\`,
\`data\`) in those of a failure; [errors.md](errors.md) has every code. A token is in none of them. Below, \`…\`
stands for what varies.

${sections.join('\n\n')}
`;
}
