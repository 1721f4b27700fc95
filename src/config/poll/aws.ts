import { z } from 'zod';
import { duration } from '../fields.ts';
import { type Complain, commonFields, PROFILE } from './common.ts';
import { sendFields } from './requests.ts';
import { sendRules } from './send-rules.ts';

/** A function that takes the events of API Gateway's WebSocket APIs, as AWS Lambda is given them. */

const pointer = z.string().regex(/^(\/[^/]*)+$/, 'expected a JSON pointer like /action');

export const awsPost = z.strictObject({
  profile: z.literal('aws').describe(PROFILE),
  ...commonFields,
  path: z
    .string()
    .regex(/^\/[^\s#{}]*$/, 'expected a path that starts with /, without placeholders')
    .optional()
    .describe('aws: where all events go, behind the target’s own path; absent: the target’s own'),
  routes: z
    .strictObject({
      from: pointer.default('/action').describe('JSON pointer to the route’s key in messages that are JSON'),
      keys: z
        .array(z.string().regex(/^[^$]/, 'expected a route key that does not begin with $'))
        .min(1)
        .describe('Keys that messages may name; any other message goes to $default'),
    })
    .optional()
    .describe('aws: the routes that messages choose by what stands in them; absent: all go to $default'),
  domain: z
    .string()
    .min(1)
    .optional()
    .describe('aws: `domainName` of the events; absent: the host that the client asked for'),
  stage: z.string().min(1).default('$default').describe('aws: `stage` of the events'),
  apiId: z.string().min(1).default('sallyport').describe('aws: `apiId` of the events'),
  timeout: duration.prefault('30s').describe('A message without an answer by then has failed'),
  retry: sendFields.retry,
  concurrency: sendFields.concurrency,
  order: sendFields.order,
});

export type AwsConfig = z.output<typeof awsPost>;

/** What would have no effect. */
export function awsRules({ concurrency, order }: AwsConfig, complain: Complain): void {
  sendRules({ response: 'message', concurrency, order }, { framing: 'body' }, complain);
}
