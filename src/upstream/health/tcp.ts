import type { Probe } from './probe.ts';

/** A TCP service is well if it accepts a connection. */
export const probeTcp: Probe = async function probeTcp(pool, endpoint, _path, signal) {
  const socket = await pool.connect(endpoint, signal);
  socket.destroy();
};
