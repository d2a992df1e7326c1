/**
 * The shape of the manifest as zod schemas: parse-manifest.ts checks with them, and
 * docs/manifest.schema.json is generated from them. Rules that depend on flags (url, mount_path)
 * are handed in. Unknown fields are ignored; messages never quote a value. From zod/mini, which takes
 * 2 ms to load; zod takes 15.
 */
import * as z from 'zod/mini';
import { isPlainText } from '../plain-text.ts';

// A manifest is read a few times: zod would compile a parser for it, which takes longer than it saves.
z.config({ jitless: true });

/** A thousand resources with long fields fit; ten megabytes by mistake do not. */
export const MANIFEST_LIMIT_BYTES = 1024 * 1024;

/** What a megabyte can hold of the shortest entries; beyond it nothing is looked at. */
export const RESOURCE_LIMIT = 10_000;

/** Every reason against a field's text; none when it is good. */
export type TextRule = (text: string) => readonly string[];

export interface FieldRules {
  readonly url: TextRule;
  readonly mountPath: TextRule;
}

const TOKEN_LIMIT = 2048;
const LABEL_LIMIT = 256;
const REF_NAME_LIMIT = 255;

function textThat(rule: TextRule) {
  return z.string().check(({ value, issues }) => {
    for (const message of rule(value)) issues.push({ code: 'custom', message, input: value });
  });
}

function labelReasons(text: string): string[] {
  if (!isPlainText(text) && /[\p{C}\p{Zl}\p{Zp}]/u.test(text))
    return ['must not contain control characters'];
  return text.length > LABEL_LIMIT ? [`must have at most ${LABEL_LIMIT} characters`] : [];
}

function tokenReasons(token: string): string[] {
  if (token === '') return ['must not be empty'];
  if (token.length > TOKEN_LIMIT) return [`must have at most ${TOKEN_LIMIT} characters`];
  return /^[!-~]+$/.test(token)
    ? []
    : ['must be one line of printable ASCII without spaces or line breaks'];
}

/** git check-ref-format(1) for refs/heads/<name>, and what `git branch` refuses beyond it. */
function branchReasons(name: string): string[] {
  const components = name.split('/');
  const broken =
    name.length > REF_NAME_LIMIT ||
    name.startsWith('-') ||
    name.endsWith('.') ||
    name === 'HEAD' ||
    /\.\.|@\{|[ ~^:?*[\\]/.test(name) ||
    (!isPlainText(name) && /[\p{Cc}\p{Cs}]/u.test(name)) ||
    components.some((part) => part === '' || part.startsWith('.') || part.endsWith('.lock'));
  return broken ? ['must be the name of a branch, as in refs/heads/<name>'] : [];
}

const label = z.nullish(textThat(labelReasons));

const checkout = z.discriminatedUnion('type', [
  z.object({ type: z.literal('branch'), name: textThat(branchReasons) }),
  z.object({
    type: z.literal('commit'),
    sha: z
      .string()
      .check(z.regex(/^[0-9a-fA-F]{40}$/, 'must be a full commit id of 40 hex digits')),
  }),
]);

export function repositorySchema(rules: FieldRules) {
  return z.object({
    type: z.literal('github_repository'),
    id: label,
    url: textThat(rules.url).check(
      z.meta({
        description: 'https://host/owner/name, with or without .git',
        pattern: '^[Hh][Tt][Tt][Pp][Ss]?://[^/@?#%\\\\\\s]+/[A-Za-z0-9._-]+/[A-Za-z0-9._-]+/?$',
      }),
    ),
    mount_path: z.nullish(textThat(rules.mountPath)).check(
      z.meta({
        description: "Absolute path of the clone; <mount root>/<repository's name> without it",
      }),
    ),
    authorization_token: textThat(tokenReasons).check(
      z.meta({
        description: 'GitHub personal access token: for clone, push and gh',
        pattern: '^[!-~]+$',
        maxLength: TOKEN_LIMIT,
      }),
    ),
    checkout: z.nullish(checkout).check(
      z.meta({
        description: "What to check out; the host's default branch without it",
      }),
    ),
  });
}

/** Resources of other types are somebody else's: skipped, visibly. */
export const otherResourceSchema = z.object({
  type: z
    .string()
    .check(
      z.regex(
        /^(?!github_repository$)[A-Za-z][A-Za-z0-9_.-]{0,31}$/,
        'must be the name of a resource type',
      ),
    ),
});

/** What git refuses, or would silently leave out, see ident.c. */
function nameReasons(name: string): string[] {
  if (name.length > LABEL_LIMIT) return [`must have at most ${LABEL_LIMIT} characters`];
  return /[\p{C}\p{Zl}\p{Zp}<>]/u.test(name) || !/[^\s.,:;"\\']/.test(name)
    ? ['must be a name without control characters, "<" and ">"']
    : [];
}

function emailReasons(email: string): string[] {
  if (email.length > LABEL_LIMIT) return [`must have at most ${LABEL_LIMIT} characters`];
  return /^[^\s\p{C}<>@]+@[^\s\p{C}<>@]+$/u.test(email) ? [] : ['must be an email address'];
}

export const gitUserSchema = z.object({
  name: textThat(nameReasons),
  email: textThat(emailReasons),
});

function manifestOf<Resource extends z.ZodMiniType>(resource: Resource) {
  return z.object({
    session_id: label.check(z.meta({ description: 'Shown in status and logs' })),
    git_user: z.nullish(gitUserSchema).check(
      z.meta({
        description: 'Who commits: user.name and user.email; the user of the token without it',
      }),
    ),
    resources: z
      .array(resource)
      .check(z.maxLength(RESOURCE_LIMIT, `must have at most ${RESOURCE_LIMIT} entries`)),
  });
}

/** The document without its resources, which are judged one by one according to their type. */
export const outlineSchema = manifestOf(z.unknown());

/** docs/manifest.schema.json. */
export function manifestJsonSchema(): object {
  const unruled: FieldRules = { url: () => [], mountPath: () => [] };
  const whole = manifestOf(z.union([repositorySchema(unruled), otherResourceSchema])).check(
    z.meta({
      title: 'mount-agent manifest',
      description:
        `At most ${MANIFEST_LIMIT_BYTES} bytes of UTF-8 without byte order mark; no key twice; ` +
        'no two mounts equal or one inside the other. Unknown fields are ignored.',
    }),
  );
  return z.toJSONSchema(whole, { io: 'input' });
}
