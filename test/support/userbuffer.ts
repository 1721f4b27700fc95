import { TLSSocket } from 'node:tls';

/** Node's hidden door to reads into a given buffer, `handle.useUserBuffer`: for tests to count who goes through, or to close. */

type Handles = { useUserBuffer?: (this: object, buffer: Buffer) => void };

/** The prototypes of plain and of TLS handles: new sockets get it from there. */
function prototypes(): Handles[] {
  const probe = new TLSSocket(undefined as never);
  const handle = (probe as unknown as { _handle: { _parent: object } })._handle;
  const found = [handle, handle._parent].map(ownerOf);
  probe.destroy();
  return found;
}

function ownerOf(handle: object): Handles {
  let owner: object | null = handle;
  while (owner !== null && !Object.hasOwn(owner, 'useUserBuffer')) owner = Object.getPrototypeOf(owner);
  if (owner === null) throw new Error('this Node has no useUserBuffer');
  return owner;
}

/** What stands behind the door until it is disposed of. */
export interface Door extends Disposable {
  /** Sockets that went through. */
  readonly count: number;
}

/** Counts the sockets that read into a given buffer from here on; closed, none can. */
export function watchUserBuffer({ closed = false } = {}): Door {
  let count = 0;
  const owners = prototypes();
  const originals = owners.map((owner) => owner.useUserBuffer as NonNullable<Handles['useUserBuffer']>);
  owners.forEach((owner, index) => {
    owner.useUserBuffer = closed
      ? undefined
      : function useUserBuffer(buffer) {
          count++;
          originals[index]?.call(this, buffer);
        };
  });
  return {
    get count() {
      return count;
    },
    [Symbol.dispose]() {
      owners.forEach((owner, index) => {
        owner.useUserBuffer = originals[index];
      });
    },
  };
}
