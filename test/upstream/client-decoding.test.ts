import { stat } from 'node:fs/promises';
import zlib from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { collect } from '../../src/upstream/streamed-answer.ts';
import { CHUNKED, chunk, closed, LAST, peer, respond } from '../support/http-target.ts';

const REQUEST = { method: 'GET', path: '/', headers: {} };
const { signal } = new AbortController();
const LIMITS = { signal, timeoutMs: 5_000, bodySize: 1000 };
const STREAM = { signal, silenceMs: 5_000 };
const TEXT = 'hello, '.repeat(100);

const CODINGS = {
  gzip: zlib.gzipSync,
  'x-gzip': zlib.gzipSync,
  GZIP: zlib.gzipSync,
  deflate: zlib.deflateSync,
  'deflate ': zlib.deflateRawSync,
  br: zlib.brotliCompressSync,
  zstd: zlib.zstdCompressSync,
  'gzip, br': (text: string) => zlib.brotliCompressSync(zlib.gzipSync(text)),
  'identity, gzip': zlib.gzipSync,
};

function field(coding: string, more = ''): string {
  return `content-encoding: ${coding}\r\n${more}`;
}

describe('a whole answer', () => {
  test.each(Object.entries(CODINGS))('in %s is decoded', async (coding, encode) => {
    const { target } = await peer((socket) =>
      socket.write(respond(encode(TEXT), field(coding, 'x-a: b\r\n'))),
    );
    const { headers, body } = await target.exchange(REQUEST, LIMITS);
    expect([headers, String(body)]).toEqual([{ 'x-a': 'b' }, TEXT]);
    const streamed = await collect(await target.stream(REQUEST, STREAM), LIMITS);
    expect([streamed.headers, String(streamed.body)]).toEqual([{ 'x-a': 'b' }, TEXT]);
  });

  test('in identity passes as it is', async () => {
    const { target } = await peer((socket) => socket.write(respond('ok', field('identity'))));
    expect(String((await target.exchange(REQUEST, LIMITS)).body)).toBe('ok');
  });

  test('without a body may say what it likes', async () => {
    const { target } = await peer((socket) => socket.write(respond('', field('gzip, x-secret'))));
    expect((await target.exchange(REQUEST, LIMITS)).body).toHaveLength(0);
  });

  test('whose body is ignored is not looked into', async () => {
    const { target } = await peer((socket) => socket.write(respond('?', field('x-secret'))));
    expect((await target.exchange(REQUEST, { ...LIMITS, bodySize: 'ignored' })).status).toBe(200);
  });

  test.each([
    ['in a coding nobody knows', respond('?', field('aes128gcm')), 'undecodable'],
    ['in a coding named like a property', respond('?', field('constructor')), 'undecodable'],
    ['in more codings than anyone needs', respond('?', field('br, br, br, br')), 'undecodable'],
    ['that is not what it says', respond('no gzip', field('gzip')), 'undecodable'],
    ['damaged within', respond(damaged(zlib.gzipSync(TEXT)), field('gzip')), 'undecodable'],
    ['with something behind it', respond(twice(zlib.zstdCompressSync('a')), field('zstd')), 'undecodable'],
    ['that ends too early', respond(zlib.gzipSync(TEXT).subarray(0, -5), field('gzip')), 'broken'],
    ['cut by its connection', respond(zlib.gzipSync(TEXT), field('gzip')).subarray(0, -5), 'broken'],
    ['of more bytes than allowed', respond(zlib.gzipSync('x'.repeat(1001)), field('gzip')), 'too big'],
    ['that is a bomb', respond(zlib.gzipSync(Buffer.alloc(2 ** 20)), field('gzip')), 'too big'],
    ['that is a bomb in a bomb', respond(bombs(2 ** 24), field('gzip, gzip')), 'too big'],
  ])('%s fails, and says how', async (_, answer, kind) => {
    const { target } = await peer((socket) => void socket.end(answer));
    const failure = { kind, unsent: false, isFinal: kind !== 'broken' };
    await expect(target.exchange(REQUEST, LIMITS)).rejects.toMatchObject(failure);
    const streamed = target.stream(REQUEST, STREAM).then((stream) => collect(stream, LIMITS));
    await expect(streamed).rejects.toMatchObject(failure);
  });

  test('of more bytes than could be decoded is read no further', async () => {
    const { target } = await peer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${field('gzip')}content-length: 100000\r\n\r\n`);
      socket.write(Buffer.alloc(3000));
    });
    await expect(target.exchange(REQUEST, LIMITS)).rejects.toMatchObject({ kind: 'too big' });
  });

  test('of the allowed size that does not compress is taken', async () => {
    const noise = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * i * 31) >> 3));
    const { target } = await peer((socket) => socket.write(respond(zlib.gzipSync(noise), field('gzip'))));
    expect((await target.exchange(REQUEST, LIMITS)).body).toEqual(noise);
  });

  test('that decodes for long is given up at the deadline', async () => {
    const answers = [respond('warm'), respond(zlib.gzipSync(Buffer.alloc(2 ** 26)), field('gzip'))];
    const { target } = await peer((socket) => socket.write(answers.shift() ?? ''));
    await target.exchange(REQUEST, LIMITS);
    const limits = { signal, timeoutMs: 100, bodySize: 2 ** 28 };
    const kind = await target.exchange(REQUEST, limits).then(
      () => 'whole',
      (failure) => failure.kind,
    );
    expect(kind).toBe('timeout');
  });
});

describe('a streamed answer', () => {
  test.each([
    ['gzip', zlib.createGzip, zlib.constants.Z_SYNC_FLUSH],
    ['deflate', zlib.createDeflateRaw, zlib.constants.Z_SYNC_FLUSH],
    ['br', zlib.createBrotliCompress, zlib.constants.BROTLI_OPERATION_FLUSH],
    ['zstd', zlib.createZstdCompress, zlib.constants.ZSTD_e_flush],
  ])('in %s gives each event as soon as it comes', async (coding, create, flush) => {
    const { sockets, target } = await peer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${field(coding)}${CHUNKED}`);
    });
    const answer = await target.stream(REQUEST, STREAM);
    const [socket] = sockets;
    const encoder = create();
    encoder.on('data', (bytes) => socket?.write(chunk(bytes)));
    const pieces = answer.body[Symbol.asyncIterator]();
    for (const text of ['data: one\n\n', 'data: two\n\n', 'data: three\n\n']) {
      const piece = pieces.next();
      encoder.write(text);
      encoder.flush(flush);
      expect(String((await piece).value)).toBe(text);
    }
    const end = pieces.next();
    encoder.on('end', () => socket?.write(LAST)).end();
    expect(await end).toEqual({ done: true, value: undefined });
  });

  test('is decoded no further than somebody takes', async () => {
    const size = 8 * 1024 * 1024;
    const stored = zlib.gzipSync(Buffer.alloc(size), { level: 0 });
    const { sockets, target } = await peer((socket) => socket.write(respond(stored, field('gzip'))));
    const answer = await target.stream(REQUEST, STREAM);
    const pieces = answer.body[Symbol.asyncIterator]();
    expect((await pieces.next()).value?.length).toBeLessThanOrEqual(16_384);
    // Time enough to read the rest.
    for (let i = 0; i < 1000; i++) await stat('.');
    const [socket] = sockets;
    expect(socket?.writableLength).toBeGreaterThan(size / 2);
    await pieces.return?.();
    expect((await pieces.next()).done).toBe(true);
    await closed(sockets);
  });

  test('that is damaged ends its request', async () => {
    const { sockets, target } = await peer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${field('gzip')}${CHUNKED}`);
      socket.write(chunk('no gzip at all'));
    });
    const { body } = await target.stream(REQUEST, STREAM);
    await expect(body[Symbol.asyncIterator]().next()).rejects.toMatchObject({ kind: 'undecodable' });
    await closed(sockets);
  });

  test('fails as its connection does', async () => {
    const { target } = await peer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${field('gzip')}${CHUNKED}`);
      socket.end(chunk(zlib.gzipSync(TEXT).subarray(0, 20)));
    });
    const answer = await target.stream(REQUEST, STREAM);
    await expect(collect(answer, LIMITS)).rejects.toMatchObject({ kind: 'broken' });
  });

  test('may be left amid a wait', async () => {
    const { sockets, target } = await peer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${field('gzip')}${CHUNKED}`);
      socket.write(chunk(zlib.gzipSync(TEXT).subarray(0, 5)));
    });
    const { body } = await target.stream(REQUEST, STREAM);
    const pieces = body[Symbol.asyncIterator]();
    const piece = pieces.next();
    await pieces.return?.();
    expect(await piece).toEqual({ done: true, value: undefined });
    await closed(sockets);
  });
});

function damaged(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  copy[14] = (copy[14] ?? 0) ^ 0xff;
  return copy;
}

function twice(body: Buffer): Buffer {
  return Buffer.concat([body, body]);
}

function bombs(size: number): Buffer {
  return zlib.gzipSync(zlib.gzipSync(Buffer.alloc(size)));
}
