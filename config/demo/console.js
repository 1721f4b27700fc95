// Two consoles in the page, of TCP services: the client library of the gateway gives byte streams, this page what is
// said on them.

import { connect } from '/sallyport/client/index.js';
import { metaCommand, query, resultReader, startup } from './postgres.js';
import { encodeCommand, replyReader, wordsOf } from './redis.js';
import { createTerminal } from './terminal.js';
import { fetchToken, here, me } from './visitor.js';

/** Shorter than a session may be: the library asks for a new token before it ends, and the session goes on. */
const TOKEN_S = 300;

/**
 * Gives a terminal its connection. `hello()` gives the bytes that it begins with, `encode(line)` those of what was
 * typed, `reader(show)` takes the service's bytes and shows what they mean.
 */
function startConsole(id, { hello = () => new Uint8Array(), encode, reader }) {
  const terminal = createTerminal(document.getElementById(id), {
    onLine: (line) => void say(encode(line)),
    onFinish: finish,
    onConnect: () => void open(),
  });
  /** What is known of the connection, or of the last one there was. */
  let current;

  async function open() {
    terminal.setState('opening', 'connecting');
    const stop = new AbortController();
    const mine = { sent: 0, received: 0, tokens: 0 };
    const token = () => {
      mine.tokens += 1;
      if (mine.session) terminal.showFacts(mine);
      return fetchToken(TOKEN_S);
    };
    try {
      const connection = connect(`${here}/${id}`, { allowHalfOpen: true, token, signal: stop.signal });
      Object.assign(mine, { writer: connection.writable.getWriter() }, await connection.opened);
      current = mine;
      await run(connection);
      terminal.setState('finished', 'closed: both sides have finished');
    } catch (error) {
      terminal.setState('closed', `closed: ${reasonOf(error)}`);
      // It may be this page that cannot go on.
      stop.abort();
    }
  }

  /** Until the service has finished, and then this side, too. */
  async function run({ readable, closed }) {
    const mine = current;
    terminal.setState('open', `open as ${me}`);
    await write(hello());
    const read = reader(terminal.show);
    for await (const bytes of streamed(readable)) {
      mine.received += bytes.length;
      read(bytes);
      terminal.showFacts(mine);
    }
    terminal.show({ note: '↓ FIN: the service has finished' });
    if (terminal.state === 'open') finish();
    await closed;
  }

  async function write(bytes) {
    const mine = current;
    mine.sent += bytes.length;
    await mine.writer.write(bytes);
    terminal.showFacts(mine);
  }

  async function say(bytes) {
    try {
      await write(bytes);
    } catch {
      terminal.show({ fault: 'this did not reach the service' });
    }
  }

  /** Half of the connection: what the service has still to say comes all the same. */
  function finish() {
    terminal.setState('finishing', 'finished here; the service may go on');
    terminal.show({ note: '↑ FIN: you have finished' });
    // If it fails, `closed` says so.
    current.writer.close().catch(() => {});
  }

  void open();
}

/** Not every browser has `for await` on its streams. */
async function* streamed(readable) {
  const reader = readable.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

/** What the gateway has said: a close code, a proxy error of RFC 9209 for programs, a sentence for people. */
function reasonOf({ code = '', error = '', message }) {
  return [code, error && `${error}:`, message].filter(Boolean).join(' ');
}

/** Asks the gateway for a connection to an address: resolves with why there is none. */
export async function knockAt(address) {
  const connection = connect(`${here}/tcp/${address}`, { token: () => fetchToken() });
  try {
    await connection.opened;
    await connection.close();
    return 'somebody listens there, against expectation';
  } catch (error) {
    return reasonOf(error);
  }
}

export function startConsoles() {
  startConsole('redis', {
    encode: (line) => encodeCommand(wordsOf(line)),
    reader: (show) => replyReader((text) => show(text.startsWith('(error)') ? { fault: text } : { text })),
  });
  startConsole('sql', {
    // The demo's service believes the gateway, not this.
    hello: () => startup('demo', 'demo'),
    encode: (line) => query(metaCommand(line) ?? line),
    reader: resultReader,
  });
}
