import buffer from 'node:buffer';
import process from 'node:process';

/** What programs of Node take for granted; imported before them. */

Object.assign(globalThis, { global: globalThis, process, Buffer: buffer.Buffer });
// ioredis bounds its pipelines by it.
buffer.constants = { MAX_STRING_LENGTH: 2 ** 29 - 24 };
