import type { Context } from './context.ts';

/** The part of a gateway that looks again at its files. */
interface Reloadable {
  reload(): Promise<void>;
}

/** The part of a logger that is needed here. */
interface Log {
  info(details: object, message: string): void;
  error(details: object, message: string): void;
}

/**
 * What a gateway is told by signals other than those that end it: SIGHUP to look again at its files, once it is `opening`
 * no longer; SIGUSR1 to open its log file again, by `reopen`, which tells how that went, and returns false if there is none. Returns its undo.
 */
export function heedSignals(
  context: Pick<Context, 'onReload' | 'onReopen' | 'onIgnored'>,
  opening: Promise<Reloadable>,
  logger: Log,
  reopen: () => boolean,
): () => void {
  const undo = [
    context.onReload(oneAtATime(reload)),
    context.onReopen(() => {
      if (!reopen()) logger.info({}, 'nothing to reopen');
    }),
    context.onIgnored((signal) => logger.info({ signal }, 'ignored: this signal means nothing here')),
  ];
  return function unheed() {
    for (const each of undo) each();
  };

  async function reload(): Promise<void> {
    try {
      const gateway = await opening;
      logger.info({}, 'looking again at certificates, API keys and credentials; not at the configuration');
      await gateway.reload();
    } catch (err) {
      logger.error({ err }, 'looking again has failed');
    }
  }
}

/** Runs `job`, which never rejects, when it is asked to; asked while it runs, it runs once more afterwards. */
function oneAtATime(job: () => Promise<void>): () => void {
  let isRunning = false;
  let isAsked = false;
  return function ask() {
    isAsked = true;
    if (!isRunning) void run();
  };

  async function run(): Promise<void> {
    isRunning = true;
    while (isAsked) {
      isAsked = false;
      await job();
    }
    isRunning = false;
  }
}
