import type { Message, Polls, Profile, Sends } from '../../src/bridge/poll/profile.ts';
import { compileProfile } from '../../src/bridge/poll/profiles.ts';
import { type PollConfig, sessionConfigOf } from '../../src/config/poll/index.ts';
import type { HttpAnswer } from '../../src/upstream/client.ts';
import type { AdmittedRequest } from '../../src/upstream/forward.ts';
import { pollRoute } from './poll.ts';

/** Profiles by themselves: what they ask and what they make of the answers, without an engine. */

/** The profile of one session. `poll` is as written in YAML, but its target. */
export function profileOf(
  poll: object,
  { path = '/', query }: { path?: string; query?: string } = {},
): Profile {
  const { upstream } = pollRoute({ target: 'http://127.0.0.1:1', ...poll });
  const request = { path, query, protocols: [], captures: {} } as unknown as AdmittedRequest;
  return compileProfile(sessionConfigOf(upstream) as PollConfig).create(request);
}

export function answer(body: string | Buffer, status = 200): HttpAnswer {
  return { status, headers: {}, body: Buffer.from(body) };
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

export function sendsOf({ sends }: Profile): Sends {
  if (sends === undefined) throw new Error('the profile does not send');
  return sends;
}
