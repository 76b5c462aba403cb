import { SHORTCUT } from '../tokens';
import { trans } from '../translation';
import { Button } from './elements';
import { usePersistent } from './section';

/** What the panel is for, until the reader has read it. */
export function Introduction(): JSX.Element | null {
  const [shown, setShown] = usePersistent('introduction', false, true);
  return shown ? (
    <div className="jp-GpuPerf-introduction">
      <p>
        {trans.__('What your GPU does and what slows it.')}{' '}
        {trans.__(
          'Run %1 in a notebook to see its training steps.',
          '%gpuwatch on'
        )}{' '}
        {trans.__('%1 or the status bar opens it.', SHORTCUT)}
      </p>
      <Button onClick={() => setShown(false)}>{trans.__('Got it')}</Button>
    </div>
  ) : null;
}
