import { z } from 'zod';
import { commonFields, HTTP_BASE, PROFILE } from './common.ts';
import type { GenericConfig } from './generic.ts';
import { PATH, path, sendFields } from './requests.ts';

/** `post`: each message is a request, and its answer's body is the reply. The short way to write `poll` without polls. */

export const genericPost = z
  .strictObject({
    profile: z.literal('generic').optional().describe(PROFILE),
    ...commonFields,
    path: path.optional().describe(`${PATH}; absent: the target’s own`),
    ...sendFields,
    response: sendFields.response
      .unwrap()
      .default('message')
      .describe(sendFields.response.description ?? ''),
  })
  .transform(asGeneric);

/** The session that it stands for. */
function asGeneric({
  method,
  path = '',
  text,
  binary,
  timeout,
  retry,
  response,
  ...common
}: Written): GenericConfig {
  const send = { method, path, text, binary, timeout, retry, response };
  return { ...common, messages: { framing: 'body' }, send };
}

interface Written
  extends Omit<GenericConfig, 'open' | 'poll' | 'cursor' | 'messages' | 'send' | 'close'>,
    Omit<Sends, 'path'> {
  readonly path?: string | undefined;
}
type Sends = NonNullable<GenericConfig['send']>;

/** A service where all that must be said is where it is. */
export const postTo = HTTP_BASE.transform((url) => genericPost.parse({ target: url }));
