import type { GatewayError } from '../../errors.ts';
import { ExchangeFailed, type HttpAnswer, type HttpRequest, type HttpTarget } from '../../upstream/client.ts';
import type { StreamedAnswer } from '../../upstream/streamed-answer.ts';
import { type Clock, systemClock } from './backoff.ts';
import type { Batch, ServiceEnd } from './profile.ts';

/** What is written down of a session's requests while it is rehearsed. */

export type SceneName = 'open' | 'send' | 'poll' | 'close';

/** One request, and what came of it. */
export interface Exchange {
  /** As it was sent; its path stands behind the target's own. */
  readonly request: HttpRequest;
  /** Of a streamed answer what has come of its body, up to a bound. Undefined where there was none. */
  answer?: HttpAnswer;
  /** Why there is no answer, or no more of it. */
  failure?: unknown;
  /** Milliseconds to the end of the answer, or to the head of a streamed one. */
  ms: number;
}

/** What the bridge did in one part of a session. */
export interface Scene {
  readonly name: SceneName;
  readonly exchanges: Exchange[];
  /** What answers were read as, in order. */
  readonly batches: Batch[];
  /** Milliseconds the bridge would have left the service alone for before the next request. */
  pauseMs: number;
  /** The request that would have come next. */
  next?: HttpRequest | undefined;
  /** The service's own end of the session. */
  end?: ServiceEnd | undefined;
  /** What has ended the session. */
  error?: GatewayError;
  /** Milliseconds after which nobody waited any more for what was to come. */
  heldMs?: number;
}

/** As much of a stream is kept as anybody wants to see. */
const KEPT_BYTES = 16 * 1024;

/** The request was to be seen, not to be sent. */
export class NotSent extends Error {}

/** Writes down what goes to the service, scene by scene, and lets no more of it pass than the scene takes. */
export class Recorder {
  readonly scenes: Scene[] = [];
  #scene: Scene | undefined;
  #left = 0;

  /** Begins another scene, of at most so many requests: the next one is kept, and not sent. */
  begin(name: SceneName, requests = Infinity): Scene {
    const scene: Scene = { name, exchanges: [], batches: [], pauseMs: 0 };
    this.scenes.push(scene);
    this.#scene = scene;
    this.#left = requests;
    return scene;
  }

  /** A clock that does not wait, and writes down for how long that would have been. */
  clockFor(scene: Scene): Clock {
    return {
      now: systemClock.now,
      random: () => 0.5,
      async sleep(ms) {
        scene.pauseMs += ms;
      },
    };
  }

  /** The same target, all of whose requests are written down. */
  watch(target: HttpTarget): HttpTarget {
    return {
      isIdle: () => target.isIdle(),
      ...(target.adopt && { adopt: target.adopt.bind(target) }),
      close: () => target.close(),
      exchange: async (request, limits) => {
        const exchange = this.#note(request);
        const answer = await timed(exchange, () => target.exchange(request, limits));
        exchange.answer = answer;
        return answer;
      },
      stream: async (request, limits) => {
        const exchange = this.#note(request);
        const answer = await timed(exchange, () => target.stream(request, limits));
        const { status, headers } = answer;
        exchange.answer = { status, headers, body: Buffer.alloc(0) };
        return { ...answer, body: copied(answer, exchange) };
      },
    };
  }

  /** Throws NotSent for a request that the scene has no room for. */
  #note(request: HttpRequest): Exchange {
    const scene = this.#scene;
    if (scene === undefined || this.#left === 0) {
      if (scene !== undefined) scene.next ??= request;
      throw new NotSent('a rehearsal sends no more');
    }
    this.#left--;
    const exchange: Exchange = { request, ms: 0 };
    scene.exchanges.push(exchange);
    return exchange;
  }
}

async function timed<Answer>(exchange: Exchange, ask: () => Promise<Answer>): Promise<Answer> {
  const startedAt = performance.now();
  try {
    return await ask();
  } catch (thrown) {
    exchange.failure = thrown;
    if (thrown instanceof ExchangeFailed && thrown.head)
      exchange.answer = { ...thrown.head, body: Buffer.alloc(0) };
    throw thrown;
  } finally {
    exchange.ms = performance.now() - startedAt;
  }
}

/** The body of a streamed answer; its beginning is written down as it is read. */
async function* copied({ status, headers, body }: StreamedAnswer, exchange: Exchange) {
  let kept = Buffer.alloc(0);
  try {
    for await (const piece of body) {
      kept = Buffer.concat([kept, piece]).subarray(0, KEPT_BYTES);
      exchange.answer = { status, headers, body: kept };
      yield piece;
    }
  } catch (thrown) {
    exchange.failure = thrown;
    throw thrown;
  }
}
