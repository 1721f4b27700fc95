// Who the visitor of this page is, and a token that says so.

const NAMES = ['ada', 'alan', 'barbara', 'donald', 'edsger', 'frances', 'grace', 'hedy', 'katherine', 'ken'];

export const me = `${NAMES[Math.floor(Math.random() * NAMES.length)]}-${Math.floor(10 + Math.random() * 90)}`;
export const here = `wss://${location.host}`;

/** A token for this page, in place of a login. */
export async function fetchToken(life = 3600) {
  const response = await fetch(`/token?name=${me}&life=${life}`);
  if (!response.ok) throw new Error(`the website gave no token (${response.status})`);
  return (await response.text()).trim();
}
