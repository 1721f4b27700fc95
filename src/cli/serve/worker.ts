import { parseConfig } from '../../config/load.ts';
import { type Gateway, openGateway } from '../../gateway.ts';
import { flushLog, type Logger, reopenLog } from '../../observe/log.ts';
import type { Failure } from '../../workers/crew.ts';
import { Line } from '../../workers/line.ts';
import { type Orders, shareOf } from '../../workers/orders.ts';
import { takePart } from '../../workers/part.ts';
import type { Way } from '../../workers/processes.ts';
import { ORDERS, READY } from '../../workers/spare.ts';
import { type Context, EXIT } from '../context.ts';
import { untilStopped } from '../daemon.ts';
import { exitCodeOf, isExpected } from '../failure.ts';
import { heedSignals } from '../heed.ts';
import { openLog } from './log.ts';
import { Told } from './told.ts';

/** Runs one of several processes of a gateway, until its primary says that it is to end, or is gone. Resolves with the exit code. Never rejects. */
export async function serveWorker(context: Context, way: Way): Promise<number> {
  // A terminal, and systemd, tell all processes of a group: the primary says what is to be done.
  for (const on of [context.onSignal, context.onReload, context.onReopen, context.onIgnored]) on(() => {});
  const primary = new Line(way);
  const told = new Told(primary, way);
  const orders = await Promise.race([ordersFrom(primary), told.toEnd]);
  if (orders === undefined) return EXIT.ok;
  try {
    return await serve(context, { orders, primary, told });
  } catch (error) {
    await primary.ask('failed', failureOf(orders.number, error)).catch(() => undefined);
    return EXIT.failure;
  }
}

/** For as long as it takes: it may be a spare one. */
function ordersFrom(primary: Line): Promise<Orders> {
  return new Promise((resolve) => {
    primary.answer(ORDERS, resolve);
    primary.say(READY);
  });
}

interface Parts {
  readonly orders: Orders;
  readonly primary: Line;
  readonly told: Told;
}

async function serve(context: Context, { orders, primary, told }: Parts): Promise<number> {
  const { config } = parseConfig(orders.text, { file: orders.file, env: context.env });
  const logger = openLog(config.log, context, true).child({ worker: orders.number });
  told.onGone(() => logger.error('the primary is gone: this worker ends, too'));
  const own = { ...context, ...told.signals };
  const opening = takePart(primary, orders).then((part) =>
    openGateway(shareOf(config, orders), { logger, part }),
  );
  // While it opens, too: its log is open by now, and its files may have been read.
  heedSignals(own, opening, logger, () => reopenLog(logger));
  try {
    const gateway = await Promise.race([opening, told.toEnd]);
    if (gateway === undefined || told.isToEnd) return EXIT.failure;
    primary.say('listening', gateway.addresses);
    return await run(own, gateway, logger);
  } finally {
    await flushLog(logger);
  }
}

/** As one that serves alone; that it closes is said by the primary. */
function run(context: Context, gateway: Gateway, logger: Logger): Promise<number> {
  const log = {
    info() {},
    fatal: (details: object, message: string) => logger.fatal(details, message),
    flush: (done: () => void) => logger.flush(done),
  };
  return untilStopped(context, gateway, log);
}

function failureOf(number: number, error: unknown): Failure {
  const exitCode = exitCodeOf(error);
  if (!(error instanceof Error)) return { text: `worker ${number}: ${error}`, exitCode };
  return { text: isExpected(error) ? error.message : `worker ${number}: ${error.stack}`, exitCode };
}
