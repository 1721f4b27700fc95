import { GatewayError } from '../../../errors.ts';
import type { HttpAnswer } from '../../../upstream/client.ts';
import type { AdmittedRequest } from '../../../upstream/forward.ts';
import { parseJson, textOf } from '../json.ts';

/** The body of the `connect` event, and that of its answer. */

type Lists = Record<string, string[]>;

/**
 * What the service is told of a client that wants to connect: its claims, and what its handshake says to the upstream. The
 * certificate of a client is a claim.
 */
export function connectBody({ grant, query, upstreamHeaders, protocols }: AdmittedRequest): string {
  const claims = Object.entries(grant.claims).map(
    ([name, claim]) => [name, [claim].flat().map(textOf)] as const,
  );
  return JSON.stringify({
    claims: Object.fromEntries(claims),
    query: listed(new URLSearchParams(query)),
    headers: listed(upstreamHeaders),
    subprotocols: protocols,
    clientCertificates: [],
  });
}

function listed(pairs: Iterable<readonly [string, string]>): Lists {
  const lists: Lists = Object.create(null);
  for (const [name, value] of pairs) {
    lists[name] ??= [];
    lists[name].push(value);
  }
  return lists;
}

/** What the service makes of the client; undefined and empty: as it was. */
export interface ConnectAnswer {
  readonly userId: string | undefined;
  readonly subprotocol: string | undefined;
  readonly groups: readonly string[];
}

/** Reads the answer to `connect`; one without a body says nothing. Throws UPSTREAM_INVALID. */
export function readConnectAnswer({ body }: HttpAnswer): ConnectAnswer {
  const { userId, subprotocol, groups } = body.length === 0 ? {} : membersOf(body);
  return {
    userId: textAt('userId', userId),
    subprotocol: textAt('subprotocol', subprotocol),
    groups: textsAt('groups', groups),
  };
}

function membersOf(body: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = parseJson(body.toString());
  } catch (cause) {
    throw invalid('is not JSON', cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('is no JSON object');
  return value as Record<string, unknown>;
}

function textAt(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw invalid(`has no text at ${name}`);
  return value;
}

function textsAt(name: string, value: unknown): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
    throw invalid(`has no list of texts at ${name}`);
  return value;
}

function invalid(what: string, cause?: unknown): GatewayError {
  return new GatewayError('UPSTREAM_INVALID', { cause, detail: `the answer to a connect event ${what}` });
}
