import { isUtf8 } from 'node:buffer';
import { asGatewayError, type ErrorCode, GatewayError } from '../../errors.ts';
import type { Backchannel } from './backchannel.ts';
import { connectionPage } from './connections.ts';
import { type Answer, json, type Page, type Question } from './page.ts';

/** What its SDKs know failures by. */
const NAMES: Partial<Record<ErrorCode, string>> = {
  CONNECTION_GONE: 'GoneException',
  PUSHES_FULL: 'LimitExceededException',
  PUSH_TOO_BIG: 'PayloadTooLargeException',
};

/**
 * `/@connections/{id}`, which is `/connections/{id}` in the words of API Gateway, for its SDKs: these call every message a stream
 * of octets, and its clients get texts.
 */
export function apiGatewayPage(backchannel: Backchannel): Page {
  const { methods } = connectionPage(backchannel, (_type, data) => isUtf8(data));

  function describe({ name }: Question): Answer {
    const record = backchannel.describe(name);
    if (record === undefined) throw new GatewayError('CONNECTION_GONE');
    return json({ ...record, connectedAt: record.since, identity: { sourceIp: record.clientAddress } });
  }

  const all = Object.entries({ ...methods, GET: describe }).map(([name, method]) => [name, named(method)]);
  return { path: /^\/@connections\/([^/]+)$/, isGuarded: true, methods: Object.fromEntries(all) };
}

type Method = Page['methods'][string];

/** The same, with its failures named as its SDKs read them. */
function named(method: Method): Method {
  return async function answer(question) {
    try {
      return await method(question);
    } catch (thrown) {
      return exception(thrown);
    }
  };
}

/** Throws one that they have no name for. */
function exception(thrown: unknown): Answer {
  const { code, status, message } = asGatewayError(thrown);
  const name = NAMES[code];
  if (name === undefined) throw thrown;
  return { ...json({ __type: name, message }), status };
}
