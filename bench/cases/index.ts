import type { Case } from '../types.ts';
import { activeCases } from './active.ts';
import { attackCases } from './attack.ts';
import { connectCases } from './connects.ts';
import { echoCases, tcpCases } from './echo.ts';
import { handshakeCases } from './handshakes.ts';
import { idleCases } from './idle.ts';
import { plainHttpCases } from './plain-http.ts';
import { pollCases } from './poll.ts';
import { sharedCases } from './shared.ts';
import { stalledCases } from './stalled.ts';
import { workerCases } from './workers.ts';

/** Every case, in the order of the table. */
export const cases: readonly Case[] = [
  ...echoCases,
  ...tcpCases,
  ...connectCases,
  ...pollCases,
  ...handshakeCases,
  ...sharedCases,
  ...workerCases,
  ...attackCases,
  ...activeCases,
  ...idleCases,
  ...stalledCases,
  ...plainHttpCases,
];
