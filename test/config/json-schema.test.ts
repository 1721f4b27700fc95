import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { editorSchema, keysAt, typesAt } from '../../src/config/json-schema.ts';

test('config/schema.json is what the schema says now (if not: npm run schema)', () => {
  expect(readFileSync('config/schema.json', 'utf8')).toBe(editorSchema());
});

test('numbers may be read from the environment, and texts have their form', () => {
  const { properties } = JSON.parse(editorSchema());
  const { port } = properties.listeners.items.properties;
  expect(port).toMatchObject({ type: ['integer', 'string'], pattern: '\\$\\{' });
  const drain = new RegExp(properties.drain.pattern);
  expect(['10s', `\${DRAIN}`, '10'].map((text) => drain.test(text))).toEqual([true, true, false]);
  expect(properties.drain.default).toBe('10s');
});

describe('keysAt and typesAt', () => {
  test('see through lists, names and alternatives', () => {
    expect(keysAt(['routes', 3, 'keepalive'])).toEqual(['every', 'within']);
    expect(keysAt(['issuers', 'any name'])).toContain('audience');
    expect(typesAt(['listeners', 0, 'port'])).toEqual(['integer']);
    expect(typesAt(['routes', 0, 'upstream', 'tcp'])).toEqual(['string', 'object', 'array']);
  });

  test('know nothing of what is not there', () => {
    expect(keysAt(['nowhere', 'at', 'all'])).toEqual([]);
    expect(keysAt(['constructor'])).toEqual([]);
  });
});
