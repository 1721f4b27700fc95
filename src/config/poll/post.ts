import { z } from 'zod';
import { type Complain, commonFields, complainTo, HTTP_BASE, PROFILE } from './common.ts';
import type { GenericConfig } from './generic.ts';
import { messages, messagesRules } from './messages.ts';
import { closeRequest, OPEN, openRequest, PATH, path, sendFields } from './requests.ts';
import { sendRules } from './send-rules.ts';

/** `post`: each message is a request, and its answer's body is the reply. The short way to write `poll` without polls. */

const { response, refusal } = sendFields;

const shape = z.strictObject({
  profile: z.literal('generic').optional().describe(PROFILE),
  ...commonFields,
  open: z.strictObject(openRequest).optional().describe(OPEN),
  path: path.optional().describe(`${PATH}; absent: the target’s own`),
  ...sendFields,
  response: response
    .unwrap()
    .default('message')
    .describe(response.description ?? ''),
  refusal: refusal
    .unwrap()
    .default('relay')
    .describe(refusal.description ?? ''),
  messages,
  close: closeRequest,
});

type Written = z.output<typeof shape>;

export const genericPost = shape
  .superRefine((written, context) => postRules(written, complainTo(context)))
  .transform(asGeneric);

/** What needs what, told at the keys as they are written. */
function postRules(written: Written, complain: Complain): void {
  const { response, messages } = written;
  messagesRules(framingOf(written), complain);
  sendRules(written, messages, complain);
  if ((response === 'message' || response === 'ignore') && messages.framing !== 'body')
    complain(['messages', 'framing'], `has no effect with response: ${response}`);
  if (response === 'ignore' && messages.type !== undefined)
    complain(['messages', 'type'], 'has no effect with response: ignore');
}

/** A streamed answer says by its name how it holds messages. */
function framingOf({ response, messages }: Written): Written['messages'] {
  return response === 'sse' || response === 'ndjson' ? { ...messages, framing: response } : messages;
}

/** The session that it stands for. */
function asGeneric(written: Written): GenericConfig {
  const { method, path = '', body, text, binary, timeout, retry, ...others } = written;
  const { response, refusal, concurrency, order, ...common } = others;
  const send = { method, path, body, text, binary, timeout, retry, response, refusal, concurrency, order };
  return { ...common, messages: framingOf(written), send };
}

/** A service where all that must be said is where it is. */
export const postTo = HTTP_BASE.transform((url) => genericPost.parse({ target: url }));
