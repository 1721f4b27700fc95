// Runs in a sandboxed frame: its origin is `null`. A valid token does not help it.
const socket = new WebSocket(`wss://${location.host}/chat`, ['bearer', location.hash.slice(1)]);
socket.onclose = ({ code, reason }) => parent.postMessage({ code, reason }, '*');
