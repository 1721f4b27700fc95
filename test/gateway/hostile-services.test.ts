import { expect, test } from 'vitest';
import { hostileServer } from '../support/hostile.ts';
import { expected, GOES_ON, gatewayTo, verdictOf, WAYS } from '../support/hostile-ways.ts';
import { portOf } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';

/** Services that answer what no session can go on with: each session ends with a code. Those that take their time are in test/system. */

const SLOW = /endless|dripping|bomb|million|deep|length-too-long|1MB/;

test.for(Object.entries(WAYS))('%s', async ([, way]) => {
  const server = hostileServer();
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  const gateway = await gatewayTo(portOf(server), way);
  const names = Object.keys(way.cases).filter((name) => !SLOW.test(name) && way.others[name] !== GOES_ON);
  const verdicts = await Promise.all(names.map((name) => verdictOf(gateway, name, way)));
  const found = names.map((name, index) => [name, verdicts[index]]);
  expect(Object.fromEntries(found)).toEqual(expected(way, names));
  expect(Object.keys(Object.prototype)).toEqual([]);
});
