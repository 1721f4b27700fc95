import { Counter, type Registry } from 'prom-client';
import { PUSH_OUTCOMES, PUSH_WAYS, type PushObserver } from '../bridge/poll/pushes.ts';

/** Counts in a registry what becomes of messages that are pushed to clients, every series there from the start. */
export function createPushMetrics(registry: Registry): PushObserver {
  const pushes = new Counter({
    name: 'sallyport_pushes_total',
    help: 'Messages that services pushed to connections, by name or by channel: delivered, or not for want of room, of a client, or of an upstream that allows it.',
    labelNames: ['way', 'outcome'],
    registers: [registry],
  });
  for (const way of PUSH_WAYS) for (const outcome of PUSH_OUTCOMES) pushes.inc({ way, outcome }, 0);
  return { pushed: (way, outcome) => pushes.inc({ way, outcome }) };
}
