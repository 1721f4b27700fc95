import type { GenericConfig } from '../../../config/poll/index.ts';
import type { AdmittedRequest } from '../../../upstream/forward.ts';
import type { Scope } from '../values.ts';

/** What one session knows, and what placeholders stand for in it. */
export class SessionState implements Scope {
  readonly request: AdmittedRequest;
  readonly holdMs: number | undefined;
  /** As the service named it. */
  session: string | undefined;
  cursor: string | undefined;
  /** The number of the last message that was to be sent. */
  seq: number | undefined;

  constructor(request: AdmittedRequest, { poll, cursor }: GenericConfig) {
    this.request = request;
    this.holdMs = poll?.hold;
    this.cursor = cursor?.initial;
  }

  /** The same, and what is known in this moment only. */
  with(moment: Pick<Scope, 'message' | 'ending'>): Scope {
    const { request, holdMs, session, cursor, seq } = this;
    return { request, holdMs, session, cursor, seq, ...moment };
  }
}
