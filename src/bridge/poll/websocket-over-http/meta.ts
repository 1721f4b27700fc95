import type { IncomingHttpHeaders } from 'node:http';
import { invalid } from './events.ts';

const SET = 'set-meta-';
/** Of all names and values: they go with every request. */
const LARGEST = 8 * 1024;

/** What a service keeps with the gateway about one session: it sets `Set-Meta-NAME`, and is sent `Meta-NAME` with each request. */
export class Meta {
  readonly #values = new Map<string, string>();

  /** Takes what an answer sets; an empty value removes. Throws UPSTREAM_INVALID beyond 8 KiB of it. */
  take(headers: IncomingHttpHeaders): void {
    for (const [field, value] of Object.entries(headers)) {
      if (!field.startsWith(SET) || typeof value !== 'string') continue;
      const name = field.slice(SET.length);
      if (value === '' || name === '') this.#values.delete(name);
      else this.#values.set(name, value);
    }
    if (this.#size() > LARGEST) throw invalid('its Set-Meta fields have more than 8 KiB');
  }

  /** The fields of a request. */
  fields(): Record<string, string> {
    return Object.fromEntries([...this.#values].map(([name, value]) => [`meta-${name}`, value]));
  }

  #size(): number {
    return [...this.#values].reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  }
}
