// A card with a prompt: what is typed there, and what is shown. It knows no connections.

const MAX_ENTRIES = 200;
const MAX_HISTORY = 50;
/** What may wait in the page, unread, before the service has to wait (config/TCP-PROTOCOL.md). */
const WINDOW = '256 KiB';

/**
 * Makes a card a terminal. `onLine` is told what is typed while it is open, `onFinish` that nothing more will be,
 * `onConnect` that it shall begin again.
 */
export function createTerminal(card, { onLine, onFinish, onConnect }) {
  const [status, facts, log, form, toggle] = ['.status', '.facts', '.log', 'form', '.toggle'].map((at) =>
    card.querySelector(at),
  );
  const [input, send] = [form.querySelector('input'), form.querySelector('button')];
  const prompt = form.querySelector('label').textContent;
  const recall = lineHistory(input);

  const terminal = {
    /** `opening`, `open`, `finishing` (this half is), `finished`, or `closed`, which is no good end. */
    get state() {
      return status.dataset.state;
    },

    setState(state, text) {
      status.dataset.state = state;
      status.textContent = text;
      const isOver = state === 'closed' || state === 'finished';
      send.disabled = state !== 'open';
      toggle.disabled = !isOver && state !== 'open';
      toggle.textContent = isOver ? 'Connect again' : 'Finish';
    },

    /** One of `{ text }`, `{ fault }`, `{ note }`, `{ table }`. */
    show(entry) {
      const isAtEnd = log.scrollTop + log.clientHeight > log.scrollHeight - 40;
      log.append(entryOf(entry));
      if (log.childElementCount > MAX_ENTRIES) log.firstElementChild.remove();
      if (isAtEnd || entry.typed) log.scrollTop = log.scrollHeight;
    },

    /** What is known of the connection; bytes up and down, tokens so far. */
    showFacts({ session, protocol, sent, received, tokens }) {
      const known = [
        protocol,
        `session ${session.slice(0, 8)}`,
        `${sizeOf(sent)} up`,
        `${sizeOf(received)} down`,
        `window ${WINDOW}`,
        ...(tokens > 1 ? [`token renewed ${tokens - 1}×`] : []),
      ];
      facts.replaceChildren(...known.map((text) => element('span', text)));
      facts.title = `The gateway's log calls this session ${session}.`;
    },
  };

  function enter(line) {
    if (line === '' || terminal.state !== 'open') return;
    terminal.show({ typed: line, prompt });
    recall.add(line);
    input.value = '';
    onLine(line);
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    enter(input.value.trim());
  });
  input.addEventListener('keydown', (event) => {
    if (!event.ctrlKey) return;
    if (event.key === 'l') log.replaceChildren();
    else if (event.key === 'd' && terminal.state === 'open') onFinish();
    else return;
    event.preventDefault();
  });
  for (const example of card.querySelectorAll('.examples button')) {
    example.addEventListener('click', () => enter(example.dataset.line ?? example.textContent));
  }
  toggle.addEventListener('click', () => (terminal.state === 'open' ? onFinish() : onConnect()));
  // Where no text is being chosen, a click anywhere in the terminal means the prompt.
  log.addEventListener('click', () => {
    if (String(getSelection()) === '') input.focus({ preventScroll: true });
  });
  return terminal;
}

/** What was typed before, by the arrow keys. */
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
  const entry = element('div', text, kind);
  if (kind === 'typed') entry.prepend(element('b', prompt));
  return entry;
}

/** In a frame of its own, that scrolls. */
function tableOf({ columns, rows }) {
  const table = element('table');
  table.createTHead().append(rowOf(columns.map(({ name }) => element('th', name))));
  const body = table.createTBody();
  for (const row of rows) body.append(rowOf(row.map((value, at) => cellOf(value, columns[at]))));
  const frame = element('div', '', 'table');
  frame.append(table);
  return frame;
}

function rowOf(cells) {
  const row = element('tr');
  row.append(...cells);
  return row;
}

function cellOf(value, { isNumber }) {
  if (value === null) return element('td', 'null', 'null');
  return element('td', value, isNumber ? 'number' : '');
}

function element(name, text = '', className = '') {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function sizeOf(bytes) {
  return bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`;
}
