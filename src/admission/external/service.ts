import { Pool } from 'undici';
import type { AuthConfig } from '../../config/schema.ts';
import { GatewayError } from '../../errors.ts';
import type { HeaderField } from '../../http/request.ts';
import { CounterTable } from '../../store/counters.ts';
import { type Remedies, tlsFault } from '../../tls-fault.ts';
import { type CertificateWatch, unwatched } from '../../watched-certificates.ts';
import { type Way, wayTo } from './connecting.ts';

/** Another service, which is asked about clients over HTTP. */

export type ExternalConfig = NonNullable<AuthConfig['external']>;

/** What it has answered. Fields alternate names and values, as sent. */
export interface Answer {
  readonly status: number;
  readonly fields: readonly string[];
  /** Its beginning, of at most 64 KiB, where it is refused; else nothing. */
  readonly body: Buffer;
}

/** Questions under way at a time, of everybody and of one address. */
const BOUNDS = { all: 256, perAddress: 32 };
const MAX_BODY_BYTES = 64 * 1024;
/** So long the rest of an answer that nobody reads may take: by then another connection is cheaper. */
const REST_MS = 250;
const NOTHING = Buffer.alloc(0);

const REMEDIES: Remedies = {
  plain: 'http://',
  authority: 'name it in auth.external.tls.ca',
  name: 'write the one that counts in auth.external.tls.servername',
};

/** Whether a status is a refusal that goes to the client: its own, or one that sends it to where it signs in. */
export function isRefusal(status: number): boolean {
  return status === 401 || status === 403 || (status >= 300 && status < 400 && status !== 304);
}

/** The connections to one such service, kept for questions to come. */
export class AuthService {
  readonly #pool: Pool;
  readonly #way: Way;
  readonly #within: number;
  readonly #bounds: typeof BOUNDS;
  readonly #places = new CounterTable();

  /** Throws CertificateError for a file of `tls` that cannot be used. */
  constructor(config: ExternalConfig, bounds = BOUNDS, certificates: CertificateWatch = unwatched) {
    this.#way = wayTo(config, certificates);
    this.#within = config.within;
    this.#bounds = bounds;
    const { origin, connect } = this.#way;
    // The one deadline is ours, and it is that of all of the answer.
    const timeouts = { headersTimeout: 0, bodyTimeout: 0 };
    this.#pool = new Pool(origin, { connections: bounds.all, pipelining: 1, connect, ...timeouts });
  }

  /**
   * Asks with these fields, for a client whose address counts as `address`. Rejects with TOO_MANY_REQUESTS where too many
   * ask, and with AUTH_UNAVAILABLE if the answer does not come in time, or not whole.
   */
  async ask(fields: readonly HeaderField[], address: string): Promise<Answer> {
    const leave = this.#enter(address);
    const deadline = new AbortController();
    const timer = setTimeout(
      () => deadline.abort(new Error(`no answer in ${this.#within} ms`)),
      this.#within,
    );
    try {
      return await this.#exchange(fields, deadline.signal, end);
    } catch (thrown) {
      end();
      const cause = tlsFault(thrown, REMEDIES);
      throw new GatewayError('AUTH_UNAVAILABLE', { detail: 'the auth service does not answer', cause });
    }

    function end(): void {
      clearTimeout(timer);
      leave();
    }
  }

  /** Drops its connections; again is a no-op. */
  close(): Promise<void> {
    this.#way.close();
    return this.#pool.destroy();
  }

  /** Calls `end` when the connection is free again, unless it rejects. */
  async #exchange(fields: readonly HeaderField[], signal: AbortSignal, end: () => void): Promise<Answer> {
    const { statusCode, headers, body } = await this.#pool.request({
      method: 'GET',
      path: this.#way.path,
      headers: fields.flat(),
      responseHeaders: 'raw',
      signal,
    });
    const answer = { status: statusCode, fields: headers as unknown as readonly string[], body: NOTHING };
    if (!isRefusal(statusCode)) {
      // Nobody waits for what is not wanted; what is left of it is read for the sake of the connection, which keeps its place.
      void body.dump({ limit: MAX_BODY_BYTES, signal: AbortSignal.timeout(REST_MS) }).then(end, end);
      return answer;
    }
    const content = await beginningOf(body);
    end();
    return { ...answer, body: content };
  }

  #enter(address: string): () => void {
    const ofAll = this.#places.acquire('', this.#bounds.all);
    const ofAddress = ofAll && this.#places.acquire(address, this.#bounds.perAddress);
    if (ofAll && ofAddress)
      return function leave() {
        ofAll();
        ofAddress();
      };
    ofAll?.();
    const whose = ofAll ? 'for this address' : 'in all';
    throw new GatewayError('TOO_MANY_REQUESTS', {
      detail: `too many questions to the auth service ${whose}`,
    });
  }
}

/** Of a longer one the connection is given up. */
async function beginningOf(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length >= MAX_BODY_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES);
}
