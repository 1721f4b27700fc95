// Two terminals in the page, on TCP services: the client library of the gateway gives byte streams, this page what is
// said on them.

import { connect } from '/sallyport/client/index.js';
import { metaCommand, query, resultReader, startup } from './postgres.js';
import { encodeCommand, replyReader, wordsOf } from './redis.js';
import { fetchToken, here, me } from './visitor.js';

const MAX_ENTRIES = 200;
const MAX_HISTORY = 50;
/** What may wait in the page, unread, before the service has to wait (config/TCP-PROTOCOL.md). */
const WINDOW = '256 KiB';
/** Shorter than a session may be: the library asks for a new token before it ends, and the session goes on. */
const TOKEN_S = 300;

/**
 * A card with a prompt. `hello()` gives the bytes that a connection begins with, `encode(line)` those of what was
 * typed, `reader(show)` takes the service's bytes and shows what they mean.
 */
function terminal(id, { hello = () => new Uint8Array(), encode, reader }) {
  const card = document.getElementById(id);
  const [status, facts, log, form, toggle] = ['.status', '.facts', '.log', 'form', '.toggle'].map((at) =>
    card.querySelector(at),
  );
  const [input, send] = [form.querySelector('input'), form.querySelector('button')];
  const prompt = form.querySelector('label').textContent;
  const recall = lineHistory(input);
  /** The connection, or the last one there was. */
  let current;

  function setStatus(state, text) {
    status.dataset.state = state;
    status.textContent = text;
    const isOver = state === 'closed' || state === 'finished';
    send.disabled = state !== 'open';
    toggle.disabled = !isOver && state !== 'open';
    toggle.textContent = isOver ? 'Connect again' : 'Finish';
  }

  function show(entry) {
    const isAtEnd = log.scrollTop + log.clientHeight > log.scrollHeight - 40;
    log.append(entryOf(entry));
    if (log.childElementCount > MAX_ENTRIES) log.firstElementChild.remove();
    if (isAtEnd || entry.typed) log.scrollTop = log.scrollHeight;
  }

  function showFacts({ session, protocol, sent, received, tokens }) {
    const known = [
      protocol,
      `session ${session.slice(0, 8)}`,
      `${sizeOf(sent)} up`,
      `${sizeOf(received)} down`,
      `window ${WINDOW}`,
      ...(tokens > 1 ? [`token renewed ${tokens - 1}×`] : []),
    ];
    facts.replaceChildren(...known.map(factOf));
    facts.title = `The gateway's log calls this session ${session}.`;
  }

  async function open() {
    setStatus('opening', 'connecting');
    const stop = new AbortController();
    const mine = { sent: 0, received: 0, tokens: 0 };
    const token = () => {
      mine.tokens += 1;
      if (mine.session) showFacts(mine);
      return fetchToken(TOKEN_S);
    };
    try {
      const connection = connect(`${here}/${id}`, { allowHalfOpen: true, token, signal: stop.signal });
      Object.assign(mine, { writer: connection.writable.getWriter() }, await connection.opened);
      current = mine;
      await run(connection);
      setStatus('finished', 'closed: both sides have finished');
    } catch (error) {
      setStatus('closed', `closed: ${reasonOf(error)}`);
      // It may be this page that cannot go on.
      stop.abort();
    }
  }

  /** Until the service has finished, and then this side, too. */
  async function run({ readable, closed }) {
    const mine = current;
    setStatus('open', `open as ${me}`);
    await write(hello());
    const read = reader(show);
    for await (const bytes of streamed(readable)) {
      mine.received += bytes.length;
      read(bytes);
      showFacts(mine);
    }
    show({ note: '↓ FIN: the service has finished' });
    if (status.dataset.state === 'open') finish();
    await closed;
  }

  async function write(bytes) {
    const mine = current;
    mine.sent += bytes.length;
    await mine.writer.write(bytes);
    showFacts(mine);
  }

  /** Half of the connection: what the service has still to say comes all the same. */
  function finish() {
    setStatus('finishing', 'finished here; the service may go on');
    show({ note: '↑ FIN: you have finished' });
    // If it fails, `closed` says so.
    current.writer.close().catch(() => {});
  }

  async function enter(line) {
    if (line === '' || status.dataset.state !== 'open') return;
    show({ typed: line, prompt });
    recall.add(line);
    input.value = '';
    try {
      await write(encode(line));
    } catch {
      show({ fault: 'this did not reach the service' });
    }
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void enter(input.value.trim());
  });
  input.addEventListener('keydown', (event) => {
    if (!event.ctrlKey) return;
    if (event.key === 'l') log.replaceChildren();
    else if (event.key === 'd' && status.dataset.state === 'open') finish();
    else return;
    event.preventDefault();
  });
  for (const example of card.querySelectorAll('.examples button')) {
    example.addEventListener('click', () => void enter(example.dataset.line ?? example.textContent));
  }
  toggle.addEventListener('click', () => {
    if (status.dataset.state === 'open') finish();
    else void open();
  });
  // Where text is not being chosen, a click anywhere in the terminal means the prompt.
  log.addEventListener('click', () => {
    if (String(getSelection()) === '') input.focus({ preventScroll: true });
  });
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

/** What was typed, by the arrow keys. */
function lineHistory(input) {
  const lines = [];
  let at = 0;
  input.addEventListener('keydown', (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !(at + step in [...lines, ''])) return;
    event.preventDefault();
    at += step;
    input.value = lines[at] ?? '';
    input.setSelectionRange(input.value.length, input.value.length);
  });
  return {
    add(line) {
      if (lines.at(-1) !== line) lines.push(line);
      if (lines.length > MAX_HISTORY) lines.shift();
      at = lines.length;
    },
  };
}

/** A line of one of the kinds `typed`, `text`, `fault` and `note`, or a table. */
function entryOf({ table, prompt, ...line }) {
  if (table) return tableOf(table);
  const [[kind, text]] = Object.entries(line);
  const entry = document.createElement('div');
  entry.className = kind;
  if (kind === 'typed') {
    const name = document.createElement('b');
    name.textContent = prompt;
    entry.append(name);
  }
  entry.append(text);
  return entry;
}

function tableOf({ columns, rows }) {
  const frame = document.createElement('div');
  const table = document.createElement('table');
  const head = table.createTHead().insertRow();
  for (const { name } of columns) {
    const cell = document.createElement('th');
    cell.textContent = name;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    row.forEach((value, at) => {
      const cell = line.insertCell();
      cell.textContent = value ?? 'null';
      if (value === null) cell.className = 'null';
      if (columns[at].isNumber) cell.classList.add('number');
    });
  }
  frame.className = 'table';
  frame.append(table);
  return frame;
}

function factOf(text) {
  const fact = document.createElement('span');
  fact.textContent = text;
  return fact;
}

function sizeOf(bytes) {
  return bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`;
}

/** What the gateway has said: a close code, a proxy error of RFC 9209 for programs, a sentence for people. */
export function reasonOf({ code = '', error = '', message }) {
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
  terminal('redis', {
    encode: (line) => encodeCommand(wordsOf(line)),
    reader: (show) => replyReader((text) => show(text.startsWith('(error)') ? { fault: text } : { text })),
  });
  terminal('sql', {
    // The demo's service believes the gateway, not this.
    hello: () => startup('demo', 'demo'),
    encode: (line) => query(metaCommand(line) ?? line),
    reader: resultReader,
  });
}
