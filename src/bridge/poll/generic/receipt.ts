import type { ConfirmConfig } from '../../../config/poll/confirm.ts';
import type { Receipt } from '../profile.ts';
import type { Scope } from '../values.ts';
import type { Item } from './items.ts';
import { compileBody, compileRequest } from './request.ts';
import type { SessionState } from './state.ts';

/** Compiles what tells the service which of its items the client has; undefined where it is told nothing, and for none. */
export function compileReceipt(
  confirm: ConfirmConfig | undefined,
): ((items: readonly Item[], state: SessionState) => Receipt | undefined) | undefined {
  if (confirm === undefined) return undefined;
  const { item, timeout, ...rest } = confirm;
  const request = compileRequest(rest);
  const renderItem = compileBody(item, rest.type ?? 'application/json');

  return function receiptOf(items, state) {
    if (items.length === 0) return undefined;
    const scope: Scope = state.with({});
    const texts = items.map(({ value }) => renderItem({ ...scope, item: value }));
    return { request: request({ ...scope, items: texts.join(',') }), timeoutMs: timeout };
  };
}
