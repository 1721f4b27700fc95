import type { GenericConfig } from '../../../config/poll/index.ts';
import type { AdmittedRequest } from '../../../upstream/forward.ts';
import type { Template } from './template.ts';

/** What one session knows, and what placeholders stand for in it. */
export class SessionState {
  readonly request: AdmittedRequest;
  /** As the service named it. */
  session: string | undefined;
  cursor: string | undefined;
  /** The placeholder of that name: in seconds. */
  readonly #hold: string;

  constructor(request: AdmittedRequest, { poll, cursor }: GenericConfig) {
    this.request = request;
    this.cursor = cursor?.initial;
    this.#hold = String(Math.round((poll?.hold ?? 0) / 1000));
  }

  /** A template with what its placeholders stand for now. */
  fill(template: Template): string {
    const { query, captures } = this.request;
    const values = { session: this.session, cursor: this.cursor, hold: this.#hold, query };
    return template(values, captures);
  }
}
