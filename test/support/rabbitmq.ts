import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { eventually } from './patience.ts';
import { freePort } from './ports.ts';
import { installedFile, programPath, startServer } from './servers.ts';

/** The ports of a RabbitMQ: management, STOMP and MQTT over WebSocket, and AMQP and STOMP as they are. */
export interface Rabbit {
  readonly management: number;
  readonly stomp: number;
  readonly mqtt: number;
  readonly rawAmqp: number;
  readonly rawStomp: number;
}

/** It starts a virtual machine and a database, in half a minute on a busy machine. */
const START_MS = 50_000;

/** RabbitMQ with these three plugins and the user guest; stopped when the test has finished. */
export async function startRabbit(): Promise<Rabbit> {
  const daemon = await startPortMapper();
  // The program itself, not Debian's wrapper, which runs it as another user.
  const program = installedFile('/usr/lib/rabbitmq/bin/rabbitmq-server', 'rabbitmq-server');
  const [stomp, mqtt, distribution] = [await freePort(), await freePort(), await freePort()];
  const raw = { rawAmqp: await freePort(), rawStomp: await freePort() };
  const server = await startServer(
    program,
    async (folder, management) => {
      await writeFile(join(folder, 'rabbitmq.conf'), configuration({ management, stomp, mqtt, ...raw }));
      const plugins = '[rabbitmq_management,rabbitmq_web_stomp,rabbitmq_web_mqtt].';
      await writeFile(join(folder, 'enabled_plugins'), plugins);
      return { args: [], env: environment(folder, daemon, distribution) };
    },
    START_MS,
  );
  onTestFinished(() => server.close());
  const ports = { management: server.port, stomp, mqtt };
  await eventually(() => allAnswer(Object.values(ports)), 'all ports of RabbitMQ', START_MS);
  return { ...ports, ...raw };
}

/** Erlang's, which would stay behind if RabbitMQ started it. Resolves with its port. */
async function startPortMapper(): Promise<number> {
  const server = await startServer(programPath('epmd', 'rabbitmq-server'), async (_folder, port) => ({
    args: ['-address', '127.0.0.1', '-port', String(port)],
  }));
  onTestFinished(() => server.close());
  return server.port;
}

function configuration({ management, stomp, mqtt, rawAmqp, rawStomp }: Rabbit): string {
  const plugins = Object.entries({ management, web_stomp: stomp, web_mqtt: mqtt });
  const lines = plugins.flatMap(([plugin, port]) => [
    `${plugin}.tcp.ip = 127.0.0.1`,
    `${plugin}.tcp.port = ${port}`,
  ]);
  return [
    `listeners.tcp.1 = 127.0.0.1:${rawAmqp}`,
    `stomp.listeners.tcp.1 = 127.0.0.1:${rawStomp}`,
    'mqtt.listeners.tcp = none',
    ...lines,
    '',
  ].join('\n');
}

function environment(folder: string, portMapper: number, distribution: number): Record<string, string> {
  return {
    HOME: folder,
    ERL_EPMD_PORT: String(portMapper),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    // Its start script is replaced by the virtual machine, which is then the process to be stopped.
    RUNNING_UNDER_SYSTEMD: 'true',
    RABBITMQ_NODENAME: 'sallyport@localhost',
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: folder,
    RABBITMQ_LOGS: '-',
  };
}

async function allAnswer(ports: readonly number[]): Promise<boolean> {
  const answers = ports.map((port) =>
    fetch(`http://127.0.0.1:${port}/`).then(
      (answer) => answer.body?.cancel().then(() => true),
      () => false,
    ),
  );
  return (await Promise.all(answers)).every(Boolean);
}
