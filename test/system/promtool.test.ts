import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { fileWith } from '../support/files.ts';
import { startGateway } from '../support/gateway.ts';
import { type Ran, run } from '../support/programs.ts';

/** Prometheus' own checker on the rules, and on what a gateway tells. */

const RULES = resolve('config/alerts.yaml');

function promtool(args: readonly string[], input = ''): Promise<Ran> {
  return run(['promtool', 'prometheus'], args, input);
}

test('the rules are in order', async () => {
  const { code, output, errors } = await promtool(['check', 'rules', RULES]);
  expect(errors + output).toMatch(/SUCCESS: \d+ rules found/);
  expect(code).toBe(0);
});

test('the dashboard asks for nothing that is no PromQL', async () => {
  const { panels } = JSON.parse(await readFile('config/grafana.json', 'utf8')) as {
    panels: { targets?: { expr: string }[] }[];
  };
  const rules = panels
    .flatMap(({ targets = [] }) => targets)
    .map(({ expr }, index) => ({
      record: `panel:${index}`,
      expr: expr.replaceAll(/\$__(rate_)?interval/g, '5m').replaceAll(/\$(route|instance)/g, '.*'),
    }));
  const file = await fileWith(JSON.stringify({ groups: [{ name: 'panels', rules }] }));
  const { code, output, errors } = await promtool(['check', 'rules', file]);
  expect(errors + output).toContain(`SUCCESS: ${rules.length} rules found`);
  expect(code).toBe(0);
});

test('the rules fire when they should, and not before', async () => {
  const { groups } = parse(await readFile(RULES, 'utf8')) as {
    groups: { rules: { alert: string; annotations: { runbook: string } }[] }[];
  };
  const runbooks = new Map(
    groups.flatMap(({ rules }) => rules.map((rule) => [rule.alert, rule.annotations.runbook])),
  );
  const cases = (await readFile('test/support/alerts.test.yaml', 'utf8'))
    .replace('RULES', RULES)
    .replaceAll(/RUNBOOK (\w+)/g, (_, alert: string) => JSON.stringify(runbooks.get(alert)));
  const { code, output, errors } = await promtool(['test', 'rules', await fileWith(cases)]);
  expect(errors + output).toContain('SUCCESS');
  expect(code).toBe(0);
});

test('a scrape has no fault that promtool finds', async () => {
  await using gateway = await startGateway(
    'routes: [{ name: a, match: { path: /a }, auth: none, upstream: { websocket: "ws://127.0.0.1:1" } }]',
  );
  const scrape = await gateway.metrics();
  const ours = scrape
    .split('\n\n')
    .filter((block) => block.includes(' sallyport_'))
    .join('\n');
  const { output, errors } = await promtool(['check', 'metrics'], `${ours}\n`);
  expect(errors + output).toBe('');
});
