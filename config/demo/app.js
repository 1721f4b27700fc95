// The page of the demo: three live bridges, two consoles, a row of refusals, commands for a terminal. No framework, no build.

import { knockAt, startConsoles } from './console.js';
import { fetchToken, here, me } from './visitor.js';

const MAX_LINES = 200;

/** A browser cannot set headers on a WebSocket: the token travels as a subprotocol. */
function connect(path, token) {
  return token === undefined ? new WebSocket(here + path) : new WebSocket(here + path, ['bearer', token]);
}

function ending({ code, reason }) {
  return `${code} ${reason || (code === 1000 ? 'closed as asked' : 'no reason given')}`;
}

// --- Three bridges -------------------------------------------------------------------------------------------

/** Gives a card its connection: `reader()` turns what arrives into lines, `encode` what is typed into a message. */
function bridge(id, { reader, encode = (text) => text, echo }) {
  const card = document.getElementById(id);
  const [status, log, form, toggle] = ['.status', '.log', 'form', '.toggle'].map((at) =>
    card.querySelector(at),
  );
  const [input, send] = [form.querySelector('input'), form.querySelector('button')];
  let socket;

  function setStatus(state, text) {
    status.dataset.state = state;
    status.textContent = text;
    send.disabled = state !== 'open';
    toggle.textContent = state === 'closed' ? 'Connect again' : 'Disconnect';
  }

  function write(who, text) {
    const line = document.createElement('div');
    const name = document.createElement('b');
    name.textContent = who;
    line.append(name, text);
    log.append(line);
    if (log.childElementCount > MAX_LINES) log.firstElementChild.remove();
    log.scrollTop = log.scrollHeight;
  }

  async function open() {
    setStatus('opening', 'connecting');
    log.replaceChildren();
    try {
      socket = connect(`/${id}`, await fetchToken());
    } catch (error) {
      setStatus('closed', error.message);
      return;
    }
    const read = reader();
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => setStatus('open', `open as ${me}`);
    socket.onmessage = ({ data }) => read(data, write);
    socket.onclose = (event) => setStatus('closed', `closed: ${ending(event)}`);
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (text === '' || socket?.readyState !== WebSocket.OPEN) return;
    if (echo) write('›', text);
    socket.send(encode(text));
    input.value = '';
  });
  toggle.addEventListener('click', () => {
    if (status.dataset.state === 'closed') void open();
    else socket?.close(1000);
  });
  void open();
}

function messageReader() {
  return (data, write) => {
    const { from, text } = JSON.parse(data);
    write(from, text);
  };
}

/** TCP knows no messages: a chunk may hold half a line or three. */
function lineReader() {
  const decoder = new TextDecoder();
  let rest = '';
  return (data, write) => {
    const lines = (rest + decoder.decode(data, { stream: true })).split('\n');
    rest = lines.pop();
    for (const line of lines) write('‹', line);
  };
}

// --- Refusals ------------------------------------------------------------------------------------------------

/** Connects and waits for the end: resolves with the close event. `opened` may use the socket meanwhile. */
function untilClosed(path, token, opened = () => {}) {
  return new Promise((resolve) => {
    const socket = connect(path, token);
    socket.onopen = () => opened(socket);
    socket.onclose = resolve;
  });
}

function changeOneLetter(token) {
  const at = token.lastIndexOf('.') + 5;
  return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
}

/** Loads a page into a frame without an origin; it reports how its attempt ended. */
function fromStrangeFrame(token) {
  return new Promise((resolve) => {
    const frame = document.createElement('iframe');
    frame.sandbox = 'allow-scripts';
    frame.hidden = true;
    frame.src = `/stranger.html#${token}`;
    function onMessage({ source, data }) {
      if (source !== frame.contentWindow) return;
      removeEventListener('message', onMessage);
      frame.remove();
      resolve(data);
    }
    addEventListener('message', onMessage);
    document.body.append(frame);
  });
}

/** Opens ten at once, waits until each has either opened or been closed, and lets go of them all. */
async function manyConnections(token) {
  const attempts = Array.from({ length: 10 }, () => {
    const socket = connect('/lines', token);
    // An accepted connection hears the service's greeting, a refused one only its close.
    return new Promise((resolve) => {
      socket.onmessage = () => resolve({ socket });
      socket.onclose = (event) => resolve({ socket, event });
    });
  });
  const results = await Promise.all(attempts);
  for (const { socket } of results) socket.close(1000);
  const refused = results.filter(({ event }) => event);
  return `${results.length - refused.length} open; ${refused.length} refused: ${refused[0] ? ending(refused[0].event) : ''}`;
}

const TRIALS = {
  missing: async () => ending(await untilClosed('/chat')),
  expired: async () => ending(await untilClosed('/chat', await fetchToken(-60))),
  forged: async () => ending(await untilClosed('/chat', changeOneLetter(await fetchToken()))),
  expiring: async (report) => {
    report('open, waiting for its end');
    return ending(await untilClosed('/chat', await fetchToken(3)));
  },
  origin: async () => ending(await fromStrangeFrame(await fetchToken())),
  messages: async () => {
    const flood = (socket) => {
      for (let i = 0; i < 30; i += 1) socket.send('time\n');
    };
    return ending(await untilClosed('/lines', await fetchToken(), flood));
  },
  size: async () =>
    ending(await untilClosed('/lines', await fetchToken(), (socket) => socket.send('x'.repeat(5000)))),
  connections: async () => manyConnections(await fetchToken()),
  closed: () => knockAt('127.0.0.1:9'),
  metadata: () => knockAt('169.254.169.254:80'),
};

for (const item of document.querySelectorAll('[data-trial]')) {
  const [button, output] = [item.querySelector('button'), item.querySelector('output')];
  const report = (text) => {
    output.textContent = text;
  };
  button.addEventListener('click', async () => {
    button.disabled = true;
    delete output.dataset.state;
    try {
      report(await TRIALS[item.dataset.trial](report));
      output.dataset.state = 'refused';
    } catch (error) {
      report(error.message);
    }
    button.disabled = false;
  });
}

// --- Commands ------------------------------------------------------------------------------------------------

const handshake = [
  "-H 'Connection: Upgrade'",
  "-H 'Upgrade: websocket'",
  "-H 'Sec-WebSocket-Version: 13'",
  "-H 'Sec-WebSocket-Key: c2FsbHlwb3J0LWRlbW8hIQ=='",
].join(' ');
const token = `$(curl -sk '${location.origin}/token?name=me')`;

const COMMANDS = {
  missing: `curl -ki --http1.1 ${location.origin}/strict \\
  ${handshake}`,
  origin: `curl -ki --http1.1 ${location.origin}/strict -H 'Origin: https://evil.example' \\
  ${handshake}`,
  limit: `for i in 1 2 3 4 5 6 7 8; do
  curl -sk --http1.1 -o /dev/null -w '%{http_code}\\n' ${location.origin}/strict \\
    ${handshake}
done`,
  chat: `npx wscat --no-check -H "Authorization: Bearer ${token}" -c ${here}/chat`,
  lines: `NODE_TLS_REJECT_UNAUTHORIZED=0 node -e '
  const socket = new WebSocket("${here}/lines", ["bearer", process.argv[1]])
  socket.onopen = () => socket.send("time\\nquit\\n")
  socket.onmessage = async ({ data }) => process.stdout.write(await data.text())
' "${token}"`,
  forward: `sallyport forward --ca .sallyport/localhost.crt --token-command "curl -sk '${location.origin}/token?name=me'" \\
  -L 6380:${here}/redis -L 5433:${here}/sql   # then: redis-cli -p 6380; psql -h localhost -p 5433 demo`,
};

for (const code of document.querySelectorAll('[data-command]')) {
  const command = COMMANDS[code.dataset.command];
  code.textContent = command;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'quiet';
  button.textContent = 'Copy';
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(command);
    button.textContent = 'Copied';
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 1500);
  });
  code.closest('figure').querySelector('figcaption').append(button);
}

document.getElementById('me').textContent = me;
bridge('chat', { reader: messageReader });
bridge('lines', { reader: lineReader, encode: (text) => `${text}\n`, echo: true });
bridge('board', { reader: messageReader });
startConsoles();
