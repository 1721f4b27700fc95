import type { GenericConfig } from '../../../config/poll/index.ts';
import type { AdmittedRequest } from '../../../upstream/forward.ts';
import type { Cursors } from './cursor.ts';
import type { Template, Values } from './template.ts';

/** What one session knows, and what placeholders stand for in it. */
export class SessionState {
  readonly request: AdmittedRequest;
  /** As the service named it. */
  session: string | undefined;
  /** Where the next poll goes on, one for each entry of `cursor`. */
  cursors: Cursors = [];
  /** Where it began. */
  initialCursors: Cursors = [];
  /** The placeholder of that name: in seconds. */
  readonly #hold: string;

  constructor(request: AdmittedRequest, { poll }: GenericConfig) {
    this.request = request;
    this.#hold = String(Math.round((poll?.hold ?? 0) / 1000));
  }

  /** The service has said where the first poll goes on. */
  moveFirst(cursor: string): void {
    this.cursors = [cursor, ...this.cursors.slice(1)];
  }

  /** A template with what its placeholders stand for now. */
  fill(template: Template, more: Values = {}): string {
    const { query, captures } = this.request;
    const values = { session: this.session, cursor: this.cursors[0], hold: this.#hold, query, ...more };
    return template(values, captures);
  }
}
