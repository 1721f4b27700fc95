import { hash, randomBytes } from 'node:crypto';
import type { AuthConfig } from '../../config/schema.ts';
import { GatewayError } from '../../errors.ts';
import type { Notes } from '../../store/commons.ts';
import type { Proven } from '../grant.ts';

/** As API keys begin, and as the log knows what it must not show. */
const PREFIX = 'sp_ticket_';
const RANDOM_BYTES = 32;
const FORM = /^sp_ticket_[\w-]{43}$/;

const WITHIN_MS = 30_000;

/** Whom a ticket is for. */
interface Bearer {
  readonly route: string;
  /** As addresses are counted: one, or a network of IPv6. */
  readonly client: string;
}

/** What is written down of one, under its hash. */
interface Note {
  readonly route: string;
  /** Absent: whoever it is. */
  readonly client?: string;
  readonly proven: Proven;
}

/** A ticket that was given, and its end in milliseconds since the epoch. */
export interface Given {
  readonly ticket: string;
  readonly until: number;
}

/**
 * What clients get for their tokens, to show once in the query of an upgrade: 256 random bits. Whoever keeps the notes has
 * nothing that anybody is let in with.
 */
export class Tickets {
  readonly #notes: Notes;
  readonly #now: () => number;

  /** `now` is the time of day, in milliseconds since the epoch. */
  constructor(notes: Notes, now: () => number = Date.now) {
    this.#notes = notes;
    this.#now = now;
  }

  /** Gives one for what a client has proven, never for longer than that holds. Rejects with STORE_UNAVAILABLE. */
  async give(proven: Proven, { route, client }: Bearer, config: AuthConfig['tickets']): Promise<Given> {
    const { within = WITHIN_MS, address = 'client' } = config ?? {};
    const ticket = PREFIX + randomBytes(RANDOM_BYTES).toString('base64url');
    const now = this.#now();
    const until = Math.min(now + within, endOf(proven));
    const note: Note = { route, ...(address === 'client' && { client }), proven };
    await this.#notes.put(nameOf(ticket), JSON.stringify(note), Math.max(1, Math.ceil(until - now)));
    return { ticket, until };
  }

  /**
   * Takes one, which is spent with that, whoever shows it. Rejects with TICKET_INVALID, which says nothing of why, and with
   * STORE_UNAVAILABLE.
   */
  async take(ticket: string, { route, client }: Bearer): Promise<Proven> {
    if (!FORM.test(ticket)) throw invalid('it is none of ours');
    const text = await this.#notes.take(nameOf(ticket));
    if (text === undefined) throw invalid('it was used, or is over');
    const note = JSON.parse(text) as Note;
    if (note.route !== route) throw invalid(`it was given for the route ${note.route}`);
    if (note.client !== undefined && note.client !== client)
      throw invalid('it was given to a client at another address');
    if (this.#now() >= endOf(note.proven)) throw invalid('what it was given for is over');
    return note.proven;
  }
}

/** Infinity where nothing ends. */
function endOf({ expiresAt = Infinity, graceMs = 0 }: Proven): number {
  return expiresAt + graceMs;
}

function nameOf(ticket: string): string {
  return `ticket:${hash('sha256', ticket, 'hex')}`;
}

function invalid(detail: string): GatewayError {
  return new GatewayError('TICKET_INVALID', { detail });
}
