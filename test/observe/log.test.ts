import { mkdir, readdir, readFile, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeKey } from '../../src/admission/keys/key.ts';
import { LogFileError } from '../../src/observe/file-queue.ts';
import { createLogger, flushLog, reopenLog } from '../../src/observe/log.ts';
import { redactText } from '../../src/observe/redact.ts';
import { fileWith } from '../support/files.ts';
import { Sink } from '../support/observe.ts';

const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl';

function logged(write: (logger: ReturnType<typeof createLogger>) => void): Record<string, unknown> {
  const sink = new Sink();
  write(createLogger({ destination: sink }));
  expect(sink.lines).toHaveLength(1);
  return sink.lines[0] as Record<string, unknown>;
}

describe('createLogger', () => {
  test('writes one JSON object a line, with a time and the level by name', () => {
    const line = logged((logger) => logger.info({ port: 1 }, 'listening'));
    expect(line).toMatchObject({ level: 'info', port: 1, msg: 'listening' });
    expect(new Date(line.time as string).toISOString()).toBe(line.time);
  });

  test.each([
    'authorization',
    'Authorization',
    'Proxy-Authorization',
    'cookie',
    'Set-Cookie',
    'Sec-WebSocket-Protocol',
    'sec-websocket-key',
  ])('redacts %s, at the top, nested, and as a header pair', (name) => {
    const line = logged((logger) =>
      logger.info({
        [name]: 'hidden-1',
        request: { headers: { [name]: ['hidden-2'] } },
        raw: [[name, 'hidden-3']],
      }),
    );
    expect(JSON.stringify(line)).not.toContain('hidden');
    expect(line).toMatchObject({ [name]: '[redacted]', raw: [[name, '[redacted]']] });
  });

  test('redacts in the bindings of a child logger too', () => {
    const line = logged((logger) => logger.child({ cookie: 'hidden' }).info('x'));
    expect(line.cookie).toBe('[redacted]');
  });

  test('takes a JWT out of any text, cut short or not', () => {
    const line = logged((logger) =>
      logger.warn({ a: `bearer ${TOKEN}!`, b: 'x'.repeat(1000) + TOKEN, err: new Error(TOKEN) }, TOKEN),
    );
    expect(JSON.stringify(line)).not.toContain('eyJhbGci');
    expect(line).toMatchObject({ a: 'bearer [redacted]!', msg: '[redacted]' });
  });

  test('takes an API key out of any text, and leaves what only begins like one', () => {
    const key = makeKey();
    const line = logged((logger) =>
      logger.warn({ a: `/x/${key}/y`, b: 'sp_who', cut: key.slice(0, -8) }, key),
    );
    expect(line).toMatchObject({ a: '/x/[redacted]/y', b: 'sp_who', cut: '[redacted]', msg: '[redacted]' });
  });

  test('takes a key or a JWT out whole where the text is cut within it, and after others', () => {
    const secrets = [makeKey(), TOKEN.replace('.', `${'x'.repeat(300)}.`)];
    for (const secret of secrets)
      for (let shown = 1; shown < 80; shown += 1)
        for (const before of ['', `${'eyJhbGciOi'.repeat(150)}.a.b `]) {
          const filler = Math.max(1, 1024 - shown - before.length);
          const text = `${before}${'.'.repeat(filler)}${secret}${'.'.repeat(2_000)}`;
          expect(redactText(text)).not.toContain(secret.slice(3, 9));
          expect(redactText(text)).toMatch(/…$/);
        }
  });

  test('leaves JSON in base64url that is no JWT, but no key behind it', () => {
    expect(redactText('/after/eyJpZCI6MTIzfQ/x')).toBe('/after/eyJpZCI6MTIzfQ/x');
    expect(redactText(`eyJpZCI6MTIzfQ-${makeKey()}`)).toBe('eyJpZCI6MTIzfQ-[redacted]');
  });

  test('takes a key out of a path that has it percent-encoded, and leaves other paths as they came', () => {
    const key = makeKey();
    const escaped = [...key].map((character) => `%${character.charCodeAt(0).toString(16)}`).join('');
    for (const written of [
      key.replace('sp_', '%73p_'),
      key.replace('_', '%5F'),
      escaped,
      escaped.toUpperCase(),
    ])
      expect(redactText(`/a%20b/${written}/c`)).toBe('/a%20b/[redacted]/c');
    expect(redactText('/%61%20b/%73p_who')).toBe('/%61%20b/%73p_who');
    expect(redactText(`/${'a'.repeat(1_010)}${escaped}${escaped}`)).toMatch(/^\/a+\[redacted\]$/);
    expect(redactText(`/${'%61'.repeat(2_030)}${escaped}`)).not.toContain(escaped.slice(0, 30));
  });

  test('cuts texts at 1 KiB', () => {
    const line = logged((logger) =>
      logger.info({ path: 'p'.repeat(5000), deep: { text: 'q'.repeat(5000) } }),
    );
    expect(line.path).toBe(`${'p'.repeat(1024)}…`);
    expect((line.deep as { text: string }).text).toHaveLength(1025);
  });

  test('keeps any text on one line of printable characters', () => {
    const sink = new Sink();
    const logger = createLogger({ destination: sink });
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (key, text) => {
        sink.text = '';
        logger.info({ list: [{ [`k${key}`]: text }], err: new Error(text) }, text);
        expect(sink.lines).toHaveLength(1);
        expect(sink.text.slice(0, -1)).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
      }),
    );
  });

  test('writes controls out, so that a terminal cannot be driven by them', () => {
    const line = logged((logger) => logger.info({ path: '/\u001b[2J\r\n\u2028\u202e' }));
    expect(line.path).toBe('/\\u{1b}[2J\\u{d}\\u{a}\\u{2028}\\u{202e}');
  });

  test('describes an error and its causes by type, message, code and stack only', () => {
    const cause = Object.assign(new Error('beneath'), { code: 'ECONNRESET', payload: { sub: 'hidden' } });
    const line = logged((logger) => logger.error({ err: new Error('above', { cause }) }));
    expect(line.err).toMatchObject({
      type: 'Error',
      message: 'above',
      stack: expect.stringContaining('log.test.ts'),
    });
    expect(line.err).toMatchObject({ cause: { message: 'beneath', code: 'ECONNRESET' } });
    expect(JSON.stringify(line)).not.toContain('hidden');
  });

  test('bounds depth, lists, binary data and circles', () => {
    const circle: Record<string, unknown> = {
      bytes: Buffer.alloc(5000),
      list: Array.from({ length: 5000 }, () => 0),
    };
    circle.self = circle;
    const line = logged((logger) => logger.info(circle));
    expect(line.bytes).toBe('[5000 bytes]');
    expect(line.list).toHaveLength(100);
    expect(JSON.stringify(line).length).toBeLessThan(5000);
  });

  test('leaves out what is below its level', () => {
    const sink = new Sink();
    const logger = createLogger({ level: 'warn', destination: sink });
    logger.info('no');
    logger.warn('yes');
    expect(sink.lines.map((line) => line.msg)).toEqual(['yes']);
  });

  test('writes a coloured line for people', async () => {
    const sink = new Sink();
    const logger = createLogger({ format: 'pretty', colours: true, destination: sink });
    logger.info({ route: 'chat' }, 'session opened');
    await expect.poll(() => sink.text).toMatch(/INFO.*session opened.*chat/);
    expect(sink.text).toContain('\u001b[');
  });

  test('writes for people without colours where nobody looks at a terminal', async () => {
    const sink = new Sink();
    createLogger({ format: 'pretty', destination: sink }).info({ route: 'chat' }, 'session opened');
    await expect.poll(() => sink.text).toMatch(/INFO.*session opened.*chat/);
    expect(sink.text).not.toContain('\u001b');
  });
});

describe('a log in a file', () => {
  /** A folder of its own, gone when the test is over. */
  async function folder(): Promise<string> {
    return dirname(await fileWith(''));
  }

  async function messages(path: string): Promise<unknown[]> {
    return (await readFile(path, 'utf8'))
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line).msg);
  }

  test('is made with mode 640, and appended to', async () => {
    const path = join(await folder(), 'gate.log');
    for (const text of ['one', 'two']) {
      const logger = createLogger({ file: path });
      logger.info(text);
      await flushLog(logger);
    }
    expect(await messages(path)).toEqual(['one', 'two']);
    expect((await stat(path)).mode & 0o777).toBe(0o640);
  });

  test.each([
    ['gone/gate.log', 'its folder does not exist; make it first'],
    ['file/gate.log', 'what should be its folder is a file'],
    ['.', 'it is a folder; name a file in it'],
  ])('that cannot be opened is an error that says which and why: %s', async (name, why) => {
    const path = join(await folder(), name);
    expect(() => createLogger({ file: path })).toThrow(LogFileError);
    expect(() => createLogger({ file: path })).toThrow(`log.file: cannot open ${path}: ${why}`);
  });

  test('goes on in a new one after it was renamed, and no line is lost', async () => {
    const path = join(await folder(), 'gate.log');
    const logger = createLogger({ file: path });
    const child = logger.child({ issuer: 'main' });
    const sent: string[] = [];
    for (let turn = 0; turn < 5; turn += 1) {
      for (let line = 0; line < 200; line += 1) {
        const text = `${turn}/${line} ${'x'.repeat(500)}`;
        sent.push(text);
        (line % 2 === 0 ? logger : child).info(text);
      }
      await rename(path, `${path}.${turn}`);
      reopenLog(logger);
    }
    logger.info('last');
    await flushLog(logger);
    const files = [...[0, 1, 2, 3, 4].map((turn) => `${path}.${turn}`), path];
    const found = (await Promise.all(files.map(messages))).flat();
    const own = found.filter((text) => text !== 'log file reopened');
    expect(own).toEqual([...sent, 'last']);
    expect(found).toHaveLength(sent.length + 1 + 5);
    expect((await messages(path)).at(-1)).toBe('last');
  });

  test('that cannot be opened again stays, and says so', async () => {
    const path = join(await folder(), 'gate.log');
    const logger = createLogger({ file: path });
    logger.info('before');
    await flushLog(logger);
    await rename(path, `${path}.1`);
    await mkdir(path);
    reopenLog(logger);
    logger.info('after');
    await flushLog(logger);
    expect(await messages(`${path}.1`)).toEqual([
      'before',
      `log.file: cannot open ${path}: it is a folder; name a file in it; lines still go to the file that is open`,
      'after',
    ]);
  });

  test('leaves no descriptor behind, however often it is opened again', async () => {
    const logger = createLogger({ file: join(await folder(), 'gate.log') });
    const open = async () => (await readdir('/dev/fd')).length;
    const before = await open();
    for (let turn = 0; turn < 20; turn += 1) reopenLog(logger);
    await flushLog(logger);
    await expect.poll(open).toBeLessThanOrEqual(before);
  });

  test('nothing is opened again for a log that has no file', () => {
    const sink = new Sink();
    reopenLog(createLogger({ destination: sink }));
    expect(sink.text).toBe('');
  });
});
