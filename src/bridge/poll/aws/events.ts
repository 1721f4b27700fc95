import { randomUUID } from 'node:crypto';
import type { AwsConfig } from '../../../config/poll/index.ts';
import type { AdmittedRequest } from '../../../upstream/forward.ts';
import type { Message } from '../profile.ts';

/** The events of API Gateway's WebSocket APIs, as a Lambda function is given them by a proxy integration. */

/** What an event is, beside the connection it is of. */
export interface Happening {
  readonly eventType: 'CONNECT' | 'MESSAGE' | 'DISCONNECT';
  readonly routeKey: string;
  readonly messageId?: string;
  readonly disconnectStatusCode?: number;
  readonly disconnectReason?: string;
}

/** What stands in an event beside `requestContext`. */
export type Content = Readonly<Record<string, unknown>>;

/** The event of one connection, as JSON. */
export type EventMaker = (happening: Happening, content: Content) => string;

/** Compiles who makes the events of connections. */
export function compileEvents(config: AwsConfig): (request: AdmittedRequest) => EventMaker {
  return function eventsOf(request) {
    const constant = connectionContext(config, request);
    return function eventOf(happening, content) {
      const now = new Date();
      const requestId = randomUUID();
      const requestContext = {
        ...happening,
        ...constant,
        messageDirection: 'IN',
        requestId,
        extendedRequestId: requestId,
        requestTime: logTime(now),
        requestTimeEpoch: now.getTime(),
      };
      return JSON.stringify({ requestContext, isBase64Encoded: false, ...content });
    };
  };
}

function connectionContext({ domain, stage, apiId }: AwsConfig, request: AdmittedRequest) {
  const { connectionId, clientAddress, clientAuthority, grant, upstreamHeaders } = request;
  const userAgent = upstreamHeaders.find(([name]) => name.toLowerCase() === 'user-agent')?.[1];
  return {
    connectionId,
    connectedAt: Date.now(),
    domainName: domain ?? clientAuthority,
    stage,
    apiId,
    identity: { sourceIp: clientAddress, userAgent },
    ...(grant.subject !== undefined && { authorizer: { principalId: grant.subject, claims: grant.claims } }),
  };
}

/** As logs have it (the Common Log Format's). */
function logTime(date: Date): string {
  const [, day, month, year, time] = date.toUTCString().split(' ');
  return `${day}/${month}/${year}:${time} +0000`;
}

/** What `$connect` holds of the handshake: what the upstream may see, and what belongs to the handshake itself. */
export function handshakeContent({ authority, protocols, upstreamHeaders, query }: AdmittedRequest): Content {
  const offer = protocols.length > 0 ? [['Sec-WebSocket-Protocol', protocols.join(', ')] as const] : [];
  const headers = [['Host', authority] as const, ...upstreamHeaders, ...offer];
  const parameters = [...new URLSearchParams(query)];
  return {
    headers: Object.fromEntries(headers),
    multiValueHeaders: listed(headers),
    ...(parameters.length > 0 && {
      queryStringParameters: Object.fromEntries(parameters),
      multiValueQueryStringParameters: listed(parameters),
    }),
  };
}

function listed(pairs: Iterable<readonly [string, string]>): Readonly<Record<string, string[]>> {
  const lists: Record<string, string[]> = Object.create(null);
  for (const [name, value] of pairs) {
    lists[name] ??= [];
    lists[name].push(value);
  }
  return lists;
}

/** What a message is in an event: a text as it is, octets in base64. */
export function messageContent({ data, binary }: Message): Content {
  if (!binary) return { body: data.toString() };
  return { body: Buffer.from(data).toString('base64'), isBase64Encoded: true };
}
