import type { ConfirmConfig } from '../../../config/poll/confirm.ts';
import type { HttpAnswer } from '../../../upstream/client.ts';
import { compilePointer } from '../json.ts';
import type { Receipt } from '../profile.ts';
import type { Scope } from '../values.ts';
import { type Item, jsonIn } from './items.ts';
import { compileBody, compileRequest } from './request.ts';
import type { SessionState } from './state.ts';

/** Compiles what tells the service which of its items the client has; undefined where it is told nothing, and for none. */
export function compileReceipt(
  confirm: ConfirmConfig | undefined,
  answerSize: number,
): ((items: readonly Item[], state: SessionState) => Receipt | undefined) | undefined {
  if (confirm === undefined) return undefined;
  const { item, failed, timeout, ...rest } = confirm;
  const request = compileRequest(rest);
  const renderItem = compileBody(item, rest.type ?? 'application/json');
  const reading: Pick<Receipt, 'answerSize' | 'isTaken'> =
    failed === undefined ? { answerSize: 'ignored' } : { answerSize, isTaken: compileTaken(failed) };

  return function receiptOf(items, state) {
    if (items.length === 0) return undefined;
    const scope: Scope = state.with({});
    const texts = items.map(({ value }) => renderItem({ ...scope, item: value }));
    return { request: request({ ...scope, items: texts.join(',') }), timeoutMs: timeout, ...reading };
  };
}

/** Compiles whether nothing stands where an answer lists what has failed. */
function compileTaken(failed: string): (answer: HttpAnswer) => boolean {
  const find = compilePointer(failed);
  return function isTaken({ body }) {
    const found = find(jsonIn(body.toString()));
    return found === undefined || found === null || (Array.isArray(found) && found.length === 0);
  };
}
