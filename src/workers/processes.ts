/** How one program is several processes: a primary, and workers that it has started. */

/** A way to another process. Messages are plain data and bytes, and come in their order. */
export interface Way {
  /** What cannot be sent any more is lost. Never throws. */
  send(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  /** Calls `listener` when nothing comes any more: the other process has ended, or will. */
  onClosed(listener: () => void): void;
}

/** How a process has ended; without code and signal it has never begun. */
export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
  /** Why it was killed, where its way did that. */
  readonly why?: string | undefined;
}

/** A worker, as its primary sees it. */
export interface WorkerProcess {
  readonly pid: number;
  readonly way: Way;
  readonly exited: Promise<Exit>;
  /** SIGKILL. */
  kill(): void;
}

export interface Processes {
  /** Of a worker: its way to the primary. */
  readonly primary?: Way | undefined;
  /** Starts a worker. Absent where it cannot: another program has started this process as a worker of its own. */
  readonly fork?: (() => WorkerProcess) | undefined;
}
