import type { Case } from '../types.ts';
import { echoed } from './echo.ts';
import { affordable } from './scale.ts';

/** Whether a message costs more where many connections are busy. */

const FEW = 64;
const MANY = 5000;

export const activeCases: Case[] = [
  { ...activeCase('active-64', FEW), targets: [] },
  {
    ...activeCase('active-5000', MANY),
    targets: [{ metric: 'cpuUs', inCase: 'active-64', atMost: 1.3 }],
  },
];

function activeCase(name: string, connections: number): Omit<Case, 'targets'> {
  const shape = { inFlight: 1, size: 64 };
  return {
    name,
    group: 'Many active connections',
    title: `${connections.toLocaleString('en')} connections, 64 B, 1 in flight`,
    peers: ['nginx', 'Sallyport'],
    ...echoed('websocket', { connections, ...shape }, false),
    run(peer, tools) {
      const job = { ...shape, connections: connections > FEW ? affordable(connections, tools) : FEW };
      return tools.load.echo(
        peer,
        { kind: 'websocket' },
        { ...job, seconds: tools.seconds, warmUp: tools.warmUp },
      );
    },
  };
}
