import type { Complain } from './common.ts';
import type { MessagesConfig } from './messages.ts';
import type { SendConfig } from './requests.ts';

/** Keys of a send that need others: without, they would do nothing. */
export function sendRules(
  { response, concurrency, order }: Pick<SendConfig, 'response' | 'concurrency' | 'order'>,
  { framing }: MessagesConfig,
  complain: Complain,
): void {
  if (order !== undefined && concurrency === 1) complain(['order'], 'has no effect without `concurrency`');
  if (response === 'batch' && framing === 'body')
    complain(
      ['response'],
      'batch: say in `messages.framing` how an answer holds several; for one, write message',
    );
}
