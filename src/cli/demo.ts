import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../config/load.ts';
import { createGateway, type Gateway } from '../gateway.ts';
import { ListenerError } from '../listener/error.ts';
import { createLogger, flushLog } from '../observe/log.ts';
import { CommandError, type Context, EXIT } from './context.ts';
import { untilStopped } from './daemon.ts';
import { demoCertificate } from './demo/certificate.ts';
import { type Services, startServices } from './demo/services.ts';
import { welcome } from './demo/welcome.ts';

const CONFIG = fileURLToPath(new URL('../../config/demo.yaml', import.meta.url));

/** The certificate outlives the demo, so that a browser need not be told twice. */
const CERTIFICATE_FOLDER = '.sallyport';

export interface DemoOptions {
  /** TCP port of the gateway; 0 takes any free one. */
  readonly port: number;
}

/**
 * Runs sample services and a gateway in front of them, configured by config/demo.yaml, until a signal comes.
 * Resolves with the exit code. Throws CommandError if the port cannot be had.
 */
export async function demo(context: Context, { port }: DemoOptions): Promise<number> {
  const logger = createLogger({ format: context.isTTY ? 'pretty' : 'json', colours: context.isTTY });
  const services = await startServices();
  try {
    const gateway = await openGateway(context, services, port, logger);
    // Says where the gateway listens, so it belongs above the greeting.
    await flushLog(logger);
    context.stdout.write(await greeting(gateway, services));
    return await untilStopped(context, gateway, logger);
  } finally {
    await services.close();
    await flushLog(logger);
  }
}

async function openGateway(
  context: Context,
  services: Services,
  port: number,
  logger: ReturnType<typeof createLogger>,
): Promise<Gateway> {
  const { cert, key } = await demoCertificate(resolve(CERTIFICATE_FOLDER));
  const env = { ...services.env, DEMO_PORT: String(port), DEMO_CERT: cert, DEMO_KEY: key };
  const { config } = await loadConfig(CONFIG, { env: { ...context.env, ...env } });
  try {
    return await createGateway(config, { logger });
  } catch (error) {
    if (!(error instanceof ListenerError)) throw error;
    const message = `${error.message}, e.g. npm start -- --port 9443`;
    throw new CommandError(message, EXIT.failure, { cause: error });
  }
}

async function greeting({ addresses, adminAddress }: Gateway, { mint }: Services): Promise<string> {
  return welcome({
    origin: `https://localhost:${addresses[0]?.port}`,
    token: await mint('somebody', 3600),
    admin: adminAddress && `http://${adminAddress.host}:${adminAddress.port}`,
  });
}
