import { isUtf8 } from 'node:buffer';
import { type ErrorCode, GatewayError } from '../../errors.ts';
import type { Backchannel } from './backchannel.ts';
import { connectionPage } from './connections.ts';
import { sentenceOf } from './desk.ts';
import { type Answer, json, type Page, type Question } from './page.ts';

/** What its SDKs know failures by. They set their clock by the answer and sign once more where a signature does not hold. */
const NAMES: Partial<Record<ErrorCode, string>> = {
  ADMIN_LOCKED: 'ForbiddenException',
  CONNECTION_GONE: 'GoneException',
  HOST_REFUSED: 'ForbiddenException',
  PUSHES_FULL: 'LimitExceededException',
  PUSH_TOO_BIG: 'PayloadTooLargeException',
  SECRET_REFUSED: 'InvalidSignatureException',
};

/**
 * `/@connections/{id}`, with or without a stage before it, which is `/connections/{id}` in the words of API Gateway, for its SDKs:
 * these call every message a stream of octets, and its clients get texts.
 */
export function apiGatewayPage(backchannel: Backchannel): Page {
  const { methods } = connectionPage(backchannel, (_type, data) => isUtf8(data));

  async function describe({ name }: Question): Promise<Answer> {
    const record = await backchannel.describe(name);
    if (record === undefined) throw new GatewayError('CONNECTION_GONE');
    return json({ ...record, connectedAt: record.since, identity: { sourceIp: record.clientAddress } });
  }

  return {
    path: /^(?:\/[^/]+)?\/@connections\/([^/]+)$/,
    isGuarded: true,
    methods: { ...methods, GET: describe },
    failure: exception,
  };
}

/** An error of a name that they know, if there is one, in JSON: they read nothing else. */
function exception(error: GatewayError): Answer {
  return { ...json({ __type: NAMES[error.code], message: sentenceOf(error) }), status: error.status };
}
