import type { Message, Polls, Profile } from '../../src/bridge/poll/profile.ts';
import { compileProfile } from '../../src/bridge/poll/profiles.ts';
import { pollUpstream, postUpstream } from '../../src/config/poll/index.ts';
import type { GatewayError } from '../../src/errors.ts';
import type { HttpAnswer, HttpRequest } from '../../src/upstream/client.ts';
import type { AdmittedRequest } from '../../src/upstream/forward.ts';

/** Profiles by themselves: what they ask and what they make of the answers, without an engine. */

const REQUEST = {
  connectionId: 'c-1',
  clientAddress: '192.0.2.7',
  authority: 'a.example',
  clientAuthority: 'app.example',
  path: '/',
  query: undefined,
  protocols: [],
  upstreamHeaders: [],
  grant: { claims: {}, releases: [] },
  captures: {},
};

/** Those of `upstream: { post: … }`. */
const POSTS: readonly unknown[] = ['cloudevents', 'aws'];

/** The profile of one session: `config` is as written in YAML below `poll` or `post`, but its target. */
export function profileOf(
  config: { readonly profile: string; readonly [key: string]: unknown },
  request: Partial<AdmittedRequest> = {},
): Profile {
  const shape = POSTS.includes(config.profile) ? postUpstream : pollUpstream;
  const parsed = shape.parse({ target: 'http://127.0.0.1:1', ...config });
  return compileProfile(parsed).create({ ...REQUEST, ...request } as unknown as AdmittedRequest);
}

/** The keys of a route to a service at `target`, with `post` as written in YAML. */
export function postRoute(post: object, target: string) {
  return { upstream: { post: { target, ...post } } };
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

export function bytes(...octets: number[]): Message {
  return { data: Buffer.from(octets), binary: true };
}

export function pollsOf({ receives }: Profile): Polls {
  if (receives?.mode !== 'answers') throw new Error('the profile does not poll');
  return receives;
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

/** The code of what is thrown; `none` where nothing is. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as GatewayError).code;
  }
  return 'none';
}
