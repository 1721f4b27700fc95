import type { Socket } from 'node:net';
import { asGatewayError, type DialFailure } from '../../errors.ts';
import type { Connector, Opening, Spot } from '../connector.ts';
import { race } from '../race.ts';
import type { RuleUse } from './rule-record.ts';

/** RFC 8305 leaves the number to us: so many addresses are dialled for one client, and no more. */
const MAX_ATTEMPTS = 6;

export interface JudgedDial {
  /** One target at each of its addresses, all of them judged, in the order in which they are tried. */
  readonly spots: readonly Spot[];
  readonly connector: Connector;
  readonly opening: Opening;
  readonly signal: AbortSignal;
  /** Milliseconds for all of it. */
  readonly timeoutMs: number;
  /** Counts the attempts. */
  begin(): RuleUse;
}

export interface Judged {
  readonly socket: Socket;
  readonly address: string;
  readonly use: RuleUse;
}

/** One attempt, and how it is counted. */
interface Candidate {
  readonly spot: Spot;
  readonly use: RuleUse;
}

/**
 * Dials a target at the very addresses that were judged: no name is looked up any more. Whichever connects first is used
 * (RFC 8305). Rejects with the last failure; its `dials` has all of them.
 */
export async function dialJudged(dial: JudgedDial): Promise<Judged> {
  const { connector, opening, signal, timeoutMs } = dial;
  const waiting = dial.spots.slice(0, MAX_ATTEMPTS).values();
  const failures: DialFailure[] = [];
  const course = {
    next: () => begin(waiting.next().value),
    attempt: ({ spot }: Candidate, share: AbortSignal) => connector.connect(spot, share, opening),
    failed,
    lost: ({ use }: Candidate, outpaced: boolean) => use.over(outpaced ? 'outpaced' : 'abandoned'),
  };
  const shareMs = Math.ceil(timeoutMs / Math.min(dial.spots.length, MAX_ATTEMPTS));
  try {
    const { candidate, prize, share } = await race(course, { signal, shareMs });
    share.end();
    candidate.use.opened();
    return { socket: prize, address: candidate.spot.address, use: candidate.use };
  } catch (thrown) {
    const error = asGatewayError(thrown);
    error.dials = failures;
    throw error;
  }

  function begin(spot: Spot | undefined): Candidate | undefined {
    return spot && { spot, use: dial.begin() };
  }

  function failed({ spot, use }: Candidate, thrown: unknown): void {
    const error = asGatewayError(thrown);
    // Whether the deadline or the client has ended the dial, the signal does not say.
    const hasLeft = signal.aborted && use.ageMs < timeoutMs / 2;
    use.over(hasLeft ? 'abandoned' : error.code);
    failures.push({ target: spotName(spot), error });
  }
}

/** `host:port`, and behind it the address that it was dialled at, where that is another. */
export function spotName({ target, address }: Spot): string {
  return target.host === address ? target.name : `${target.name}/${address}`;
}

/** The first of each family by turns, so that a family without a way does not take all attempts (RFC 8305 §4). */
export function byTurns(addresses: readonly string[]): string[] {
  const six = addresses.filter((address) => address.includes(':'));
  const four = addresses.filter((address) => !address.includes(':'));
  const count = Math.max(six.length, four.length);
  return Array.from({ length: count }, (_, at) => [six[at], four[at]])
    .flat()
    .filter((address) => address !== undefined);
}
