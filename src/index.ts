/** The library: what `import … from 'sallyport'` gives. */

export { loadConfig, parseConfig } from './config/load.ts';
export { ConfigError } from './config/problem.ts';
export type { Config } from './config/schema.ts';
export { type Address, createGateway, type Gateway, type GatewayOptions } from './gateway.ts';
export { LogFileError } from './observe/file-queue.ts';
export { createLogger, type LoggerOptions, reopenLog } from './observe/log.ts';
