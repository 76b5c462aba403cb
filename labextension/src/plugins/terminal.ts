import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { Terminal } from '@jupyterlab/services';

import { isTypeable } from '../model/foreignText';
import { trans } from '../translation';
import { inform } from './confirm';

const CREATE = 'terminal:create-new';
/** How long to wait for a prompt; then the line is written anyway. */
const PROMPT_MS = 3000;

interface ITerminalWidget {
  readonly content?: { readonly session?: Terminal.ITerminalConnection };
}

/** Writes a line at the prompt of a new terminal. It does not run until the user presses Enter. */
export function terminalWriter(
  app: JupyterFrontEnd
): (line: string) => Promise<void> {
  return async line => {
    if (!isTypeable(line)) {
      inform(trans.__('Not typed: it contains control characters.'));
      return;
    }
    const { commands } = app;
    const widget = commands.hasCommand(CREATE)
      ? ((await commands.execute(CREATE)) as ITerminalWidget | undefined)
      : undefined;
    const session = widget?.content?.session;
    if (session === undefined) {
      inform(
        trans.__('This server has no terminals. Copy the command instead.')
      );
      return;
    }
    await waitForPrompt(session);
    session.send({ type: 'stdin', content: [line] });
  };
}

/** Resolves when the shell has printed something, or after `PROMPT_MS`. */
function waitForPrompt(session: Terminal.ITerminalConnection): Promise<void> {
  return new Promise(resolve => {
    const settle = () => {
      clearTimeout(timer);
      session.messageReceived.disconnect(onMessage);
      resolve();
    };
    const onMessage = (_: unknown, message: Terminal.IMessage) => {
      if (message.type === 'stdout') {
        settle();
      }
    };
    const timer = setTimeout(settle, PROMPT_MS);
    session.messageReceived.connect(onMessage);
  });
}
