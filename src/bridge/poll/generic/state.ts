import type { GenericConfig } from '../../../config/poll/index.ts';
import type { AdmittedRequest } from '../../../upstream/forward.ts';
import type { KnownRequest, Scope } from '../values.ts';
import type { Cursors } from './cursor.ts';

/** What is known in one moment only, or told in another way. */
type Moment = Pick<Scope, 'message' | 'ending'> & Partial<Pick<AdmittedRequest, 'query'>>;

/** What a session remembers of its upgrade. */
type SessionRequest = KnownRequest & Pick<AdmittedRequest, 'protocols'>;

/** What one session knows, and what placeholders stand for in it. */
export class SessionState implements Scope {
  readonly request: SessionRequest;
  readonly holdMs: number | undefined;
  /** As the service named it. */
  session: string | undefined;
  /** Where the next poll goes on, one for each entry of `cursor`. */
  cursors: Cursors = [];
  /** Where it began. */
  initialCursors: Cursors = [];
  /** The number of the last message that was to be sent; 0 for none. */
  seq = 0;

  constructor(request: AdmittedRequest, { poll }: GenericConfig) {
    // Copied one by one: the rest of the request is not to stay in memory with the session.
    const { connectionId, captures, query, protocols, grant } = request;
    this.request = { connectionId, captures, query, protocols, grant: { claims: grant.claims } };
    this.holdMs = poll?.hold;
  }

  get cursor(): string | undefined {
    return this.cursors[0];
  }

  /** The service has said where the first poll goes on. */
  moveFirst(cursor: string): void {
    this.cursors = [cursor, ...this.cursors.slice(1)];
  }

  /** What it knows, and this. */
  with({ message, ending, ...query }: Moment): Scope {
    const { holdMs, session, cursor, seq } = this;
    return { request: { ...this.request, ...query }, holdMs, session, cursor, seq, message, ending };
  }
}
