import type { Options } from './options.ts';
import type { Case, Peer, Report } from './types.ts';

export type Missing = Report['missing'][number];

/** What of all there is will be run. */
export interface Selection {
  cases: Case[];
  /** Peers that some case needs and that are installed. */
  peers: Peer[];
  missing: Missing[];
}

/** Selects cases and peers by the options. Throws an Error in words for its user when nothing is left. */
export function select(options: Options, cases: readonly Case[], peers: readonly Peer[]): Selection {
  const chosen = chooseCases(options, cases);
  if (chosen.length === 0)
    throw new Error(`No such case. There are:\n  ${cases.map(({ name }) => name).join('\n  ')}`);
  const needed = new Set(chosen.flatMap((subject) => subject.peers));
  const wanted = peers.filter(
    ({ name }) => needed.has(name) && isAsked(options.peers, (part) => name.toLowerCase() === part),
  );
  if (wanted.length === 0) throw new Error(`No such peer there. These are: ${[...needed].join(', ')}`);
  const missing = wanted.map((peer) => ({ peer, install: peer.missing() }));
  return {
    cases: chosen,
    peers: missing.filter(({ install }) => install === undefined).map(({ peer }) => peer),
    missing: missing.flatMap(({ peer, install }) =>
      install === undefined ? [] : [{ peer: peer.name, install }],
    ),
  };
}

/**
 * A case's whole name means that case alone; any other text, all cases that have it in theirs. A quick run that is not told
 * which takes a few.
 */
function chooseCases({ only, quick }: Options, cases: readonly Case[]): Case[] {
  if (quick && only.length === 0) return cases.filter((subject) => subject.quick);
  const names = new Set(cases.map(({ name }) => name));
  return cases.filter(({ name }) =>
    isAsked(only, (part) => (names.has(part) ? name === part : name.includes(part))),
  );
}

function isAsked(asked: readonly string[], matches: (part: string) => boolean): boolean {
  return asked.length === 0 || asked.some(matches);
}
