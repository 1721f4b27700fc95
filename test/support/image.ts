import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

/**
 * A Dockerfile's steps replayed without Docker: each stage is a folder that stands for the root of its file system, on the
 * Node that runs the tests. Knows the few instructions that ours has, and throws at any other.
 */

type Env = Record<string, string>;

/** What is left when all steps are done. */
export interface Image extends AsyncDisposable {
  /** The folder that is its `/`. */
  readonly root: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly healthcheck: readonly string[];
  readonly env: Readonly<Env>;
  /** Starts Node as its user, in its folder, with the absolute paths in `env` taken from its root. */
  start(program: readonly string[]): ChildProcess;
}

interface Stage {
  readonly root: string;
  folder: string;
  env: Env;
  user: string;
  entrypoint: string[];
  command: string[];
  healthcheck: string[];
}

interface Build {
  /** The folder of everything. */
  readonly scratch: string;
  /** What `docker build .` sends. */
  readonly context: string;
  readonly allowed: readonly string[];
  readonly stages: Map<string, Stage>;
}

/** Replays the Dockerfile of `context`. Rejects if a step fails, or copies what .dockerignore leaves out. */
export async function buildImage(context: string): Promise<Image> {
  const scratch = await mkdtemp(join(tmpdir(), 'sallyport-image-'));
  try {
    return await build({ scratch, context, allowed: await allowedIn(context), stages: new Map() });
  } catch (error) {
    await rm(scratch, { recursive: true });
    throw error;
  }
}

async function allowedIn(context: string): Promise<string[]> {
  const ignored = await readFile(join(context, '.dockerignore'), 'utf8');
  return [...ignored.matchAll(/^!(\S+)/gm)].map((match) => match[1] as string);
}

async function build(state: Build): Promise<Image> {
  const { scratch, context } = state;
  // Others than root are to get in.
  await chmod(scratch, 0o755);
  await mkdir(join(scratch, 'bin'));
  await cp(process.execPath, join(scratch, 'bin/node'), { dereference: true });
  let stage: Stage | undefined;
  for (const [instruction, rest] of instructionsOf(await readFile(join(context, 'Dockerfile'), 'utf8'))) {
    if (instruction === 'FROM') stage = await beginStage(state, rest);
    else if (stage !== undefined) await replay(instruction, rest, stage, state);
  }
  if (stage === undefined) throw new Error('the Dockerfile has no stage');
  return imageOf(stage, state);
}

function instructionsOf(text: string): [name: string, rest: string][] {
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n');
  return lines.flatMap((line): [string, string][] => {
    const [, name, rest] = /^([A-Z]+) +(.*)$/.exec(line) ?? [];
    return name === undefined || rest === undefined ? [] : [[name, rest]];
  });
}

async function beginStage({ scratch, stages }: Build, from: string): Promise<Stage> {
  const [, name = `stage-${stages.size}`] = from.split(/ +AS +/);
  const root = join(scratch, name);
  await mkdir(root);
  const stage = { root, folder: '/', env: {}, user: '0:0', entrypoint: [], command: [], healthcheck: [] };
  stages.set(name, stage);
  return stage;
}

async function replay(instruction: string, rest: string, stage: Stage, build: Build): Promise<void> {
  const json = () => JSON.parse(rest.slice(rest.indexOf('['))) as string[];
  switch (instruction) {
    case 'WORKDIR':
      stage.folder = rest;
      await mkdir(join(stage.root, rest), { recursive: true });
      return;
    case 'ENV':
      stage.env = { ...stage.env, ...Object.fromEntries([rest.split(/=(.*)/, 2)]) };
      return;
    case 'USER':
      stage.user = rest;
      return;
    case 'RUN':
      await promisify(execFile)('sh', ['-ec', rest], {
        cwd: join(stage.root, stage.folder),
        env: envOf(stage, build),
      });
      return;
    case 'COPY':
      return copy(rest.split(/ +/), stage, build);
    case 'ENTRYPOINT':
      stage.entrypoint = json();
      return;
    case 'CMD':
      stage.command = json();
      return;
    case 'HEALTHCHECK':
      stage.healthcheck = json();
      return;
    default:
      throw new Error(`what does ${instruction} do?`);
  }
}

async function copy(words: readonly string[], stage: Stage, build: Build): Promise<void> {
  const from = words.find((word) => word.startsWith('--from='))?.slice('--from='.length);
  const [target = '', ...reversed] = words.filter((word) => !word.startsWith('--')).reverse();
  for (const source of reversed) {
    const left = from === undefined && !build.allowed.includes(source);
    if (left) throw new Error(`.dockerignore leaves ${source} out`);
    const place = from === undefined ? join(build.context, source) : join(rootOf(from, build), source);
    const isFolder = target.endsWith('/');
    const end = join(stage.root, stage.folder, target, isFolder ? basename(source) : '');
    // Docker, too, keeps links as they are.
    await cp(place, end, { recursive: true, verbatimSymlinks: true });
  }
}

function rootOf(name: string, { stages }: Build): string {
  const stage = stages.get(name);
  if (stage === undefined) throw new Error(`there is no stage ${name}`);
  return stage.root;
}

/** The test's own Node comes first, and nothing of the project's. */
function envOf({ env }: Pick<Stage, 'env'>, { scratch }: Build): Env {
  const { HOME = '/root' } = process.env;
  const npm = Object.fromEntries(
    Object.entries(process.env).filter(([name]) =>
      /^(npm_config_registry|NPM_CONFIG_\w+|NODE_EXTRA_CA_CERTS|https?_proxy)$/i.test(name),
    ),
  ) as Env;
  return {
    ...npm,
    HOME,
    npm_config_cache: join(scratch, 'npm'),
    PATH: `${join(scratch, 'bin')}:/usr/local/bin:/usr/bin:/bin`,
    ...env,
  };
}

function imageOf(stage: Stage, build: Build): Image {
  const { root, entrypoint, command, healthcheck, user, env } = stage;
  return {
    root,
    entrypoint,
    command,
    healthcheck,
    env,
    start([program = '', ...args]) {
      const [uid, gid] = user.split(':').map(Number);
      const inside = Object.entries(env).map(([name, value]) => [
        name,
        value.startsWith('/') ? join(root, value) : value,
      ]);
      return spawn(join(build.scratch, 'bin', program), args, {
        cwd: join(root, stage.folder),
        env: Object.fromEntries(inside),
        uid,
        gid,
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    },
    [Symbol.asyncDispose]: () => rm(build.scratch, { recursive: true }),
  };
}
