import { SHORTCUT } from '../tokens';
import { trans } from '../translation';
import { Button } from './elements';
import { usePersistent } from './section';

/** What the panel is for, until the reader has read it. */
export function Introduction(): JSX.Element | null {
  const [shown, setShown] = usePersistent('introduction', false, true);
  return shown ? (
    <div className="jp-GpuPerf-introduction" data-part="introduction">
      <p>
        {trans.__(
          'This panel shows what your GPU does and what slows it down.'
        )}{' '}
        {trans.__(
          'To see the steps of your training, run %1 in its notebook.',
          '%gpuwatch on'
        )}{' '}
        {trans.__('%1 or a click on the status bar opens the panel.', SHORTCUT)}
      </p>
      <Button onClick={() => setShown(false)}>{trans.__('Got it')}</Button>
    </div>
  ) : null;
}
