import { Command, type RedisOptions } from 'ioredis';
import handler, { type DataHandledable } from 'ioredis/built/DataHandler.js';

/**
 * Where an answer makes no sense (more answers than questions, pushes nobody has asked for, slots that are none), ioredis throws
 * where nobody can catch it, which would end the process. Here that is a failure of the connection, or of the command.
 */

/** Connections of ours go by it: an answer without sense ends none that a program has besides. */
export const CONNECTION_NAME = 'sallyport';
/** Milliseconds that a Sentinel has to answer. Connections to them get no name, and go by this odd number. */
export const SENTINEL_MS = 2_003;

const LAST_SLOT = 16_383;

interface Handler {
  readonly redis: DataHandledable & {
    readonly options?: Pick<RedisOptions, 'connectionName' | 'commandTimeout'>;
  };
  dispatch(act: () => void): void;
}

/** Once per process: ioredis has one class for all its connections. Where that is not as expected, all stays as it was. */
export function bearNonsense(): void {
  if (isBorne) return;
  isBorne = true;
  Command.setReplyTransformer('cluster', expectSlots);
  // Node and loaders that translate CommonJS differ in where its default is.
  const { prototype } = (handler.default ?? handler) as unknown as { readonly prototype?: Handler };
  if (typeof prototype?.dispatch !== 'function') return;
  const { dispatch } = prototype;
  prototype.dispatch = function dispatchAnswer(act) {
    const { redis } = this;
    if (!isOurs(redis)) {
      dispatch.call(this, act);
      return;
    }
    try {
      act();
    } catch (cause) {
      const fault = new Error('what Redis says makes no sense', { cause });
      redis.recoverFromFatalError(fault, fault, { offlineQueue: false });
    }
  };
}

let isBorne = false;

function isOurs({ options }: Handler['redis']): boolean {
  return (
    options?.commandTimeout === SENTINEL_MS || options?.connectionName?.endsWith(CONNECTION_NAME) === true
  );
}

/**
 * `CLUSTER SLOTS`: of each range the first slot, the last, and nodes. Other answers to CLUSTER pass. Throws where nodes are
 * missing, or slots too many.
 */
function expectSlots(answer: unknown): unknown {
  const isSound = answer !== null && (!Array.isArray(answer) || answer.every(isRange));
  if (!isSound) throw new Error('the slots of the cluster make no sense');
  return answer;
}

function isRange(range: unknown): boolean {
  if (range === null) return false;
  if (!Array.isArray(range) || typeof range[0] !== 'number') return true;
  const [first, last, ...nodes] = range;
  return 0 <= first && first <= last && last <= LAST_SLOT && nodes.every(Array.isArray);
}
