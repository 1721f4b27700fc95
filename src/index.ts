/** The library: what `import … from 'sallyport'` gives. */

export type { Authorize, KnownClient, Permit } from './admission/authorize.ts';
export type { Ending, Traffic } from './bridge/contract.ts';
export { CertificateError } from './config/certificate.ts';
export { loadConfig, type ParsedConfig, parseConfig } from './config/load.ts';
export { ConfigError, type Problem } from './config/problem.ts';
export type { Config, ConfigInput } from './config/schema.ts';
export { CredentialError } from './config/secret.ts';
export { ERROR_CODES, type ErrorCode, GatewayError } from './errors.ts';
export type { GatewayEvents } from './gateway/events.ts';
export type { GivenConfig } from './gateway/given.ts';
export { type Address, createGateway, type Gateway, type GatewayOptions } from './gateway.ts';
export type { GatewayRequest } from './http/request.ts';
export { ListenerError } from './listener/error.ts';
export { LogFileError } from './observe/file-queue.ts';
export type { RefusedRequest, SessionRecord } from './observe/index.ts';
export { createLogger, type LoggerOptions, reopenLog } from './observe/log.ts';
export type { ChooseRoute } from './route-table.ts';
