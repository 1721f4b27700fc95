import type { Case } from '../types.ts';
import { activeCases } from './active.ts';
import { connectCases } from './connects.ts';
import { echoCases, tcpCases } from './echo.ts';

/** Every case, in the order of the table. */
export const cases: readonly Case[] = [...echoCases, ...tcpCases, ...connectCases, ...activeCases];
