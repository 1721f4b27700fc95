import type { Path } from './problem.ts';

/** Where credentials stand in a configuration: each such place is read from its `file:`, warned of, and shown to nobody. */

/** Their text is the secret, or `file:PATH` in its place. */
export const SECRETS: readonly string[] = [
  'issuers.*.secret',
  'admin.secret',
  'admin.aws.secretAccessKey',
  'store.password',
  'routes.*.upstream.poll.grip.secret',
  'routes.*.upstream.post.secret',
  'routes.*.upstream.post.secret.*',
];

/** The same, read again when the file changes. */
export const WATCHED_SECRETS: readonly string[] = [
  'routes.*.upstream.credentials.value',
  'routes.*.upstream.credentials.*.value',
];

const ALL = [...SECRETS, ...WATCHED_SECRETS].map((pattern) => pattern.split('.'));

/** Whether a credential stands at this path. */
export function isSecretPlace(path: Path): boolean {
  return ALL.some(
    (names) =>
      names.length === path.length && names.every((name, at) => name === '*' || name === String(path[at])),
  );
}
