import { z } from 'zod';
import { commonFields, HTTP_BASE, PROFILE } from './common.ts';
import type { GenericConfig } from './generic.ts';
import { PATH, path, sendFields } from './requests.ts';

/** `post`: each message is a request, and its answer's body is the reply. The short way to write `poll` without polls. */

const shape = z.strictObject({
  profile: z.literal('generic').optional().describe(PROFILE),
  ...commonFields,
  path: path.optional().describe(`${PATH}; absent: the target’s own`),
  ...sendFields,
  response: sendFields.response
    .unwrap()
    .default('message')
    .describe(sendFields.response.description ?? ''),
});

export const genericPost = shape.transform(asGeneric);

/** The session that it stands for. */
function asGeneric(written: z.output<typeof shape>): GenericConfig {
  const { profile, target, headers, responseSize, queueSize, outage, path = '', ...send } = written;
  const common = { profile, target, headers, responseSize, queueSize, outage };
  return { ...common, messages: { framing: 'body' }, send: { path, ...send } };
}

/** A service where all that must be said is where it is. */
export const postTo = HTTP_BASE.transform((url) => genericPost.parse({ target: url }));
