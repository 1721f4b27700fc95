import type { Logger } from 'pino';
import { isParsed, type ParsedConfig, parseConfig, parseTree } from '../config/load.ts';
import { ConfigError } from '../config/problem.ts';
import type { Config, ConfigInput } from '../config/schema.ts';

/** What `createGateway` takes: a configuration that was loaded, plain data as YAML would give it, or YAML itself. */
export type GivenConfig = Config | ConfigInput | string;

interface Surroundings {
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly baseDir?: string | undefined;
  readonly logger: Pick<Logger, 'warn'>;
}

/** Throws TypeError for hooks that cannot be called. */
export function checkHooks(hooks: Readonly<Record<'authorize' | 'route', unknown>>): void {
  for (const [name, hook] of Object.entries(hooks))
    if (hook !== undefined && typeof hook !== 'function') throw new TypeError(`${name} is no function`);
}

/** The configuration meant, its warnings in the log. Throws ConfigError with every problem in it. */
export function readGiven(given: GivenConfig, { env = {}, baseDir = '.', logger }: Surroundings): Config {
  if (typeof given === 'object' && isParsed(given)) return given;
  if (typeof given === 'string' && /^\S+\.ya?ml$/.test(given)) throw fileName(given);
  const options = { env, baseDir };
  const { config, warnings }: ParsedConfig =
    typeof given === 'string' ? parseConfig(given, options) : parseTree(given as ConfigInput, options);
  for (const { message, ...place } of warnings) logger.warn(place, message);
  return config;
}

function fileName(file: string): ConfigError {
  const hint = 'write createGateway((await loadConfig(file, { env })).config)';
  return new ConfigError(file, [
    { line: 0, column: 0, path: '', message: 'is the name of a file, where YAML was expected', hint },
  ]);
}
