import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { connectionsTo, cpuSeconds, memoryKib, tree } from '../../bench/measure/proc.ts';
import { Processes } from '../../bench/measure/processes.ts';
import { median, medians, percentile } from '../../bench/measure/stats.ts';

describe('medians', () => {
  it('take the middle one, or the mean of the middle two', () => {
    expect(median([9, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 9])).toBe(3);
    expect(median([])).toBeNaN();
  });

  it('look at each metric by itself', () => {
    expect(medians([{ rate: 1, mib: 5 }, { rate: 3 }, { rate: 2 }])).toEqual({ rate: 2, mib: 5 });
  });
});

it('a percentile is the value with that share below it', () => {
  expect(percentile([1, 2, 3, 4], 0.5)).toBe(3);
  expect(percentile([1, 2, 3, 4], 0.99)).toBe(4);
});

describe.runIf(process.platform === 'linux')('connections', () => {
  it('to a port are counted once each, while both ends are there', async () => {
    const server = createServer((socket) => socket.on('error', () => socket.destroy())).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(connectionsTo(port)).toBe(0);
    const sockets = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    expect(connectionsTo(port)).toBe(2);
    for (const socket of sockets) socket.resetAndDestroy();
    await expect.poll(() => connectionsTo(port)).toBe(0);
    server.close();
  });
});

describe.runIf(process.platform === 'linux')('processes', () => {
  it('are counted with all they have started', async () => {
    const parent = spawn('sh', ['-c', 'echo $$; sleep 60 & wait'], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(parent.stdout, 'data');
    const pid = parent.pid as number;
    await expect.poll(() => tree(pid).length).toBe(2);
    expect(memoryKib(pid)).toBeGreaterThan(memoryKib(tree(pid)[1] as number));
    for (const each of tree(pid)) process.kill(each);
    await once(parent, 'exit');
    expect(tree(pid)).toEqual([]);
    expect([cpuSeconds(pid), memoryKib(pid)]).toEqual([0, 0]);
  });

  it('keep the CPU time of children that have ended', async () => {
    const before = cpuSeconds(process.pid);
    const script = 'const end = process.cpuUsage().user + 1e5; while (process.cpuUsage().user < end);';
    await once(spawn(process.execPath, ['-e', script]), 'exit');
    expect(cpuSeconds(process.pid) - before).toBeGreaterThanOrEqual(0.1);
  });

  it('end together, with their children, and stopping twice is nothing', async () => {
    const processes = new Processes();
    const args = ['-c', 'trap "" TERM; sleep 60 & sleep 60 & wait'];
    const running = processes.launch({ command: 'sh', args });
    await expect.poll(() => tree(running.pid).length).toBe(3);
    const family = tree(running.pid);
    await processes.stopAll();
    await running.stop();
    expect(() => processes.launch({ command: 'true', args: [] })).toThrow('ending');
    await expect.poll(() => family.flatMap(tree), { timeout: 10_000 }).toEqual([]);
  });
});
