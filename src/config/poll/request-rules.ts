import type { Complain } from './common.ts';
import type { ConfirmConfig } from './confirm.ts';
import type { GenericConfig } from './generic.ts';
import { headerFault, type RouteFacts } from './headers.ts';
import type { EditConfig, RequestConfig } from './requests.ts';
import { bodyFault, type Known, pathFault, textFault, valueFault } from './templates.ts';

/** What must hold of the requests of the generic profile: placeholders that are filled, bodies that stay what they are. */

/** The placeholders each request may hold, beside those that all have. */
const PLACES = {
  open: [],
  poll: ['session', 'cursor', 'hold', 'hold_ms'],
  confirm: ['session'],
  send: ['session', 'cursor', 'seq'],
  close: ['session', 'cursor', 'seq', 'code', 'reason'],
} as const;
type Part = keyof typeof PLACES;

/** What only their bodies have a place for. */
const IN_BODIES: Readonly<Record<Part, readonly string[]>> = {
  open: [],
  poll: [],
  confirm: ['items'],
  send: ['message', 'message.json'],
  close: [],
};

/** `complain` takes paths below the configuration of the session. */
export function requestRules(config: GenericConfig, route: RouteFacts, complain: Complain): void {
  for (const part of Object.keys(PLACES) as Part[]) {
    const request = config[part];
    if (request === undefined) continue;
    const own = PLACES[part].filter((name) => isFilled(name, config));
    const known = { ...route, own };
    const within: Complain = (path, message) => complain([part, ...path], message);
    textRules(request, known, within);
    if (part === 'send') methodRules(request, within);
    bodyRules(request, { ...known, own: [...own, ...IN_BODIES[part]] }, within);
    if ('item' in request) itemRules(request, { ...known, own: [...own, 'item'] }, within);
  }
}

/** What of each item goes to `body` is of its type. */
function itemRules({ item, type }: ConfirmConfig, known: Known, complain: Complain): void {
  const fault = bodyFault(item, type ?? 'application/json', known);
  if (fault !== undefined) complain(['item'], fault);
}

function isFilled(name: string, { open, cursor }: GenericConfig): boolean {
  if (name === 'session') return open?.session !== undefined;
  return name !== 'cursor' || cursor !== undefined;
}

type Written = Omit<RequestConfig, 'body'> & {
  readonly body?: string | EditConfig | undefined;
  /** A send's. */
  readonly text?: string | undefined;
  readonly binary?: string | undefined;
};

function textRules({ path, headers = {} }: Written, known: Known & RouteFacts, complain: Complain): void {
  const fault = pathFault(path, known);
  if (fault !== undefined) complain(['path'], fault);
  for (const [name, value] of Object.entries(headers)) {
    const wrong = headerFault(name, known) ?? textFault(value, known);
    if (wrong !== undefined) complain(['headers', name], wrong);
  }
}

/** What a send has no place for its message in. */
function methodRules({ method, body }: Written, complain: Complain): void {
  if (method === 'GET' && body === undefined)
    complain(['method'], 'a GET has no body, which is where a message goes');
}

function bodyRules({ method, body, type, text }: Written, known: Known, complain: Complain): void {
  if (body === undefined) {
    if (type !== undefined) complain(['type'], 'has no effect without `body`');
    return;
  }
  if (method === 'GET') complain(['body'], 'a GET has no body: set `method` to POST');
  if (typeof body !== 'string') {
    editRules(body, known, complain);
    return;
  }
  const fault = bodyFault(body, type ?? text ?? 'application/json', known);
  if (fault !== undefined) complain(['body'], fault);
}

const EMPTY_EDIT = `has no effect: it neither sets nor removes anything; a template is a text, as in '{"text": "{message}"}'`;

function editRules({ set, remove }: EditConfig, known: Known, complain: Complain): void {
  if (Object.keys(set).length === 0 && remove.length === 0) complain(['body'], EMPTY_EDIT);
  for (const [place, value] of Object.entries(set))
    for (const text of textsIn(value)) {
      const fault = valueFault(text, known);
      if (fault !== undefined) complain(['body', 'set', place], fault);
    }
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : [];
}
