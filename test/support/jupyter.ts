import { onTestFinished } from 'vitest';
import { installedFile, programPath, type RunningServer, startServer } from './servers.ts';

/** Jupyter's own token, which every request to it must bring. */
export const JUPYTER_TOKEN = 'a-token-of-jupyter';

/** A Jupyter server with the kernel of Python; stopped, and its kernels with it, when the test has finished. */
export async function startJupyter(): Promise<RunningServer> {
  const program = programPath('jupyter-server', 'jupyter-server');
  installedFile('/usr/lib/python3/dist-packages/ipykernel', 'python3-ipykernel');
  const server = await startServer(program, async (folder, port) => {
    const settings = {
      ip: '127.0.0.1',
      port,
      port_retries: 0,
      open_browser: false,
      allow_root: true,
      allow_remote_access: true,
      root_dir: folder,
      token: JUPYTER_TOKEN,
    };
    const args = Object.entries(settings).map(([name, value]) => `--ServerApp.${name}=${pythonic(value)}`);
    // Settings and logs of whoever runs the test are left alone.
    return { args, env: { HOME: folder, JUPYTER_RUNTIME_DIR: folder, IPYTHONDIR: folder } };
  });
  onTestFinished(() => server.close());
  return server;
}

function pythonic(value: unknown): string {
  return typeof value === 'boolean' ? (value ? 'True' : 'False') : String(value);
}
