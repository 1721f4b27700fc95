import { z } from 'zod';
import { complaintAbout, namesIn } from '../placeholders.ts';
import { type Complain, commonFields, complainTo, PROFILE } from './common.ts';
import { answerSource, cursor, cursorRules } from './cursor.ts';
import { messages, messagesRules } from './messages.ts';
import { poll, pollRules } from './polls.ts';
import { METHOD, method, PATH, path, sendFields } from './requests.ts';

/** An HTTP service that configuration alone describes. */

const shape = z.strictObject({
  profile: z.literal('generic').optional().describe(PROFILE),
  ...commonFields,
  open: z
    .strictObject({
      method: method.default('POST').describe(METHOD),
      path: path.describe(PATH),
      session: answerSource
        .optional()
        .describe('Where the answer names the session: {session} in later paths; absent: it does not'),
      cursor: answerSource
        .optional()
        .describe('Where the answer holds the first cursor, that of the first entry; absent: it does not'),
    })
    .optional()
    .describe('A request before the 101; a failure is relayed as the answer to the upgrade; absent: none'),
  poll,
  cursor,
  messages,
  send: z
    .strictObject({ path: path.describe(PATH), ...sendFields })
    .optional()
    .describe('The request that takes a message; absent: the client may only listen'),
  close: z
    .strictObject({ method: method.default('DELETE').describe(METHOD), path: path.describe(PATH) })
    .optional()
    .describe('A request when the client has gone; absent: none'),
});

export type GenericConfig = z.output<typeof shape>;

export const genericService = shape.superRefine((config, context) =>
  genericRules(config, complainTo(context)),
);

/** Keys that need one another: without, they would do nothing, or poll from the same place for ever. */
function genericRules({ open, poll, send, cursor, messages }: GenericConfig, complain: Complain): void {
  if (open?.cursor !== undefined && cursor === undefined)
    complain(['open', 'cursor'], 'has no effect without `cursor`');
  if (cursor !== undefined && poll === undefined) complain(['cursor'], 'has no effect without `poll`');
  if (poll === undefined && send === undefined) complain(['poll'], 'is required unless there is `send`');
  messagesRules(messages, complain);
  cursorRules({ cursor, poll, messages }, complain);
  if (poll !== undefined) pollRules(poll, messages, complain);
}

/** The placeholders each path may hold, beside the captures of the route's own path. */
const PLACES = {
  open: ['query'],
  poll: ['query', 'session', 'cursor', 'hold'],
  send: ['query', 'session', 'cursor'],
  close: ['query', 'session', 'cursor'],
} as const;

/** Placeholders that nothing fills. `matchPath` is the route's path, whose `{name}`s capture. */
export function placeholderRules(matchPath: string, config: GenericConfig, complain: Complain): void {
  const captures = namesIn(matchPath);
  for (const [part, own] of Object.entries(PLACES)) {
    const path = config[part as keyof typeof PLACES]?.path ?? '';
    for (const name of namesIn(path)) {
      if (captures.includes(name) || ((own as readonly string[]).includes(name) && isFilled(name, config)))
        continue;
      complain([part, 'path'], complaintAbout(name));
    }
  }
}

function isFilled(name: string, { open, cursor }: GenericConfig): boolean {
  if (name === 'session') return open?.session !== undefined;
  return name !== 'cursor' || cursor !== undefined;
}
