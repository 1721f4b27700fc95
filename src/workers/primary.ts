import { randomBytes } from 'node:crypto';
import type { LoadedConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { shownConfig } from '../config/shown.ts';
import type { Address, ListeningAddress } from '../gateway/address.ts';
import { addressOf } from '../gateway/listening.ts';
import { startAdmin } from '../observe/admin.ts';
import { type Logger, reopenLog } from '../observe/log.ts';
import { droppedLines } from '../observe/log-destination.ts';
import { MergedMetrics, type MetricSnapshot } from '../observe/merged-metrics.ts';
import { askAll } from './answers.ts';
import { createWorkersBackchannel } from './backchannel.ts';
import { Counts } from './counts.ts';
import { Crew, type CrewObserver, type Member } from './crew.ts';
import { askDesk } from './desks.ts';
import { Hub } from './hub.ts';
import type { Orders } from './orders.ts';
import type { Processes } from './processes.ts';
import { readinessOf } from './readiness.ts';
import { createRevocationsDesk } from './revocation-desk.ts';
import { createSessionsDesk } from './session-desk.ts';
import { createUpstreamsDesk } from './upstream-desk.ts';

/** A running gateway of several processes. */
export interface Primary {
  readonly addresses: readonly ListeningAddress[];
  readonly adminAddress: Address | undefined;
  reload(): Promise<void>;
  /** Has all workers open the log's file again, and this process. False: there is none. */
  reopen(): boolean;
  /** Drains all workers and stops. Resolves when they have ended. */
  close(): Promise<void>;
  /** Ends all at once. */
  end(): Promise<void>;
}

interface PrimaryDeps {
  readonly fork: NonNullable<Processes['fork']>;
  readonly size: number;
  readonly logger: Logger;
}

/** Beyond `drain`, for what comes after it in a worker: requests under way, and its last lines. */
const CLOSE_MS = 15_000;

/**
 * Starts the workers of a configuration, and speaks for them. Rejects with ListenerError where the admin listener cannot be
 * had, and with CrewError where a worker cannot begin; no worker is left then.
 */
export async function startPrimary(loaded: LoadedConfig, deps: PrimaryDeps): Promise<Primary> {
  const { config } = loaded;
  const { logger, size, fork } = deps;
  const metrics = new MergedMetrics(() => droppedLines(logger));
  const same = { text: loaded.text, file: loaded.file, size, ticketSecret: randomBytes(32) };
  const orders = (number: number): Orders => ({ ...same, number });
  const crew = new Crew({ size, fork, orders, observer: observerOf(metrics, logger) });
  const admin =
    config.admin && (await startAdmin(config.admin, { ...desksOf(config, crew, metrics), logger }));
  const addresses = await crew.start().catch(async (error) => {
    await admin?.close();
    throw error;
  });
  for (const address of addresses as ListeningAddress[]) logger.info(address, 'listening');
  return {
    addresses: addresses as ListeningAddress[],
    adminAddress: addressOf(admin),
    async reload() {
      crew.tell('reload');
    },
    reopen() {
      crew.tell('reopen');
      return reopenLog(logger);
    },
    async close() {
      await crew.close(config.drain + CLOSE_MS);
      await admin?.close();
    },
    end: () => crew.end(),
  };
}

function observerOf(metrics: MergedMetrics, logger: Logger): CrewObserver {
  const counts = new Counts();
  const hub = new Hub();
  return {
    began({ line, name }) {
      const undo = [counts.serve(line, name), hub.serve(line, name), metrics.began(name)];
      return () => {
        for (const each of undo) each();
      };
    },
    listening: ({ number, pid }) => logger.info({ worker: number, pid }, 'worker listens'),
    died({ number, pid }, { code, signal }, pauseMs, why) {
      metrics.died();
      logger.error({ worker: number, pid, code, signal, pauseMs, cause: why }, 'worker died');
    },
  };
}

/** What operators ask, of all workers. */
function desksOf(config: Config, crew: Crew, metrics: MergedMetrics) {
  return {
    ready: readinessOf(crew),
    backchannel: createWorkersBackchannel(crew),
    sessions: createSessionsDesk(crew),
    revocations: createRevocationsDesk(crew, config.store !== undefined),
    upstreams: createUpstreamsDesk(crew),
    config: async () => shownConfig(config),
    metrics: {
      contentType: metrics.contentType,
      render: async () => metrics.render(await snapshotsOf(crew)),
    },
  };
}

/** By process, of those that answer. */
async function snapshotsOf(crew: Crew): Promise<Map<string, MetricSnapshot>> {
  const ask = ({ line }: Member) => askDesk(line, 'metrics', 'snapshot', []);
  const { said } = await askAll(crew, ask).catch(() => ({ said: new Map<Member, MetricSnapshot>() }));
  return new Map([...said].map(([{ name }, snapshot]) => [name, snapshot]));
}
