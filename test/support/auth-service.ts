import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Server as SecureServer } from 'node:https';
import { onTestFinished } from 'vitest';
import type { ExternalConfig } from '../../src/admission/external/service.ts';
import { portOf } from './servers.ts';

/** A service that is asked who comes in, with its answers in a test's hands. */
export interface TestAuthService {
  readonly port: number;
  readonly url: string;
  /** What it has been asked. */
  readonly questions: readonly IncomingMessage[];
  /** Connections it has had. */
  readonly connections: () => number;
  /** What it answers with from now on. */
  answer: (response: ServerResponse, question: IncomingMessage) => void;
}

/** Starts one that lets everybody in; closed when the test has finished. */
export async function startAuthService(
  server: Server | SecureServer = createServer(),
): Promise<TestAuthService> {
  const questions: IncomingMessage[] = [];
  let connections = 0;
  server.on('request', (question, response) => {
    questions.push(question);
    service.answer(response, question);
  });
  server.on('connection', () => {
    connections += 1;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const port = portOf(server);
  const service: TestAuthService = {
    port,
    url: `http://127.0.0.1:${port}/auth?rd=1`,
    questions,
    connections: () => connections,
    answer: (response) => response.end(),
  };
  return service;
}

/** What `auth.external` says, with defaults for what is not given. */
export function externalConfig(config: Partial<ExternalConfig> & { url: string }): ExternalConfig {
  return { forward: ['cookie', 'authorization'], expires: 'x-auth-expires', within: 5_000, ...config };
}
