import { parseConfig } from '../../src/config/load.ts';
import { createGateway, type Gateway, type GatewayOptions } from '../../src/gateway.ts';
import { createLogger } from '../../src/observe/log.ts';
import { LogLines } from './log-lines.ts';
import { within } from './patience.ts';

/** A gateway under test, on free ports of 127.0.0.1, and what it has logged. */
export interface TestGateway extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly port: number;
  /** `ws://127.0.0.1:PORT` + path. */
  url(path: string): string;
  /** Every log line, parsed. */
  readonly log: Record<string, unknown>[];
  /** The first log line that fits, now or when it comes; waits `ms` at most. */
  logged(fits: (line: Record<string, unknown>) => boolean, ms?: number): Promise<Record<string, unknown>>;
  metrics(): Promise<string>;
  close(): Promise<void>;
}

/** Starts a gateway with these routes (YAML list items, or the whole file if it names its listeners). */
export async function startGateway(
  text: string,
  env: Record<string, string> = {},
  options: Omit<GatewayOptions, 'logger'> = {},
): Promise<TestGateway> {
  const whole = /^listeners:/m.test(text)
    ? text
    : `listeners: [{ host: 127.0.0.1, port: 0 }]\nadmin: { port: 0 }\ndrain: 2s\n${text}`;
  const { config } = parseConfig(whole, { env });
  const lines = new LogLines();
  const gateway = await createGateway(config, {
    ...options,
    logger: createLogger({ destination: lines, level: 'debug' }),
  });
  const port = gateway.addresses[0]?.port ?? 0;
  const close = () => gateway.close();
  return {
    gateway,
    port,
    log: lines.parsed,
    url: (path) => `ws://127.0.0.1:${port}${path}`,
    logged: (fits, ms) =>
      within(lines.find(fits), () => `a log line that fits ${fits}; the last one was ${lines.last}`, ms),
    metrics: async () => (await fetch(`http://127.0.0.1:${gateway.adminAddress?.port}/metrics`)).text(),
    close,
    [Symbol.asyncDispose]: close,
  };
}
