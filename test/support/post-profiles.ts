import type { Message, Profile } from '../../src/bridge/poll/profile.ts';
import { compileProfile } from '../../src/bridge/poll/profiles.ts';
import { postUpstream } from '../../src/config/poll/index.ts';
import type { HttpAnswer, HttpRequest } from '../../src/upstream/client.ts';
import type { AdmittedRequest } from '../../src/upstream/forward.ts';

/** Profiles of `post` by themselves: what they ask and what they make of the answers, without an engine. */

/** The keys of a route to a service at `target`, with `post` as written in YAML. */
export function postRoute(post: object, target: string) {
  return { upstream: { post: { target, ...post } } };
}

/** The profile of one session. */
export function profileOf(post: object, request: Partial<AdmittedRequest> = {}): Profile {
  const config = postUpstream.parse({ target: 'http://127.0.0.1:1', ...post });
  const grant = { claims: {}, releases: [] };
  const client = {
    connectionId: 'c-1',
    clientAddress: '192.0.2.7',
    authority: 'a.example',
    query: undefined,
  };
  const host = { clientAuthority: 'app.example', protocols: [], upstreamHeaders: [] };
  const admitted = { ...client, ...host, grant, captures: {}, ...request } as unknown as AdmittedRequest;
  return compileProfile(config).create(admitted);
}

/** How a profile sends; it never leaves a message out. */
export function sendsOf({ sends }: Profile) {
  if (sends === undefined) throw new Error('the profile does not send');
  return {
    ...sends,
    send(messages: readonly Message[], seq: number): HttpRequest {
      const request = sends.send(messages, seq);
      if (request === undefined) throw new Error('nothing is sent');
      return request;
    },
  };
}

export function answer(
  body: string | Buffer = '',
  headers: HttpAnswer['headers'] = {},
  status = 200,
): HttpAnswer {
  return { status, headers, body: Buffer.from(body) };
}

/** A client's text, held as the engine holds it. */
export function said(text: string): Message {
  return { data: Buffer.from(text), binary: false };
}
