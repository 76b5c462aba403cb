import type { ErrorInfo } from '../api/generated';
import { trans } from '../translation';
import { translate } from './translate';
import { More } from './section';
import { Note } from './elements';

/** An error: what happened, and what to do. */
export function formatError(error: ErrorInfo): string {
  return `${translate(error, 'message')} ${translate(error, 'hint')}`.trim();
}

/** An error as a line; null without an error. */
export function ErrorLine(props: {
  error: ErrorInfo | null;
  role?: 'alert';
}): JSX.Element | null {
  const { error, role } = props;
  return error ? (
    <p className="jp-GpuPerf-problem" role={role}>
      {formatError(error)}
    </p>
  ) : null;
}

/** What went wrong, what to do, and the end of the worker's log; null without an error. */
export function ErrorDetails(props: {
  error: ErrorInfo | null;
  log?: string;
  role?: 'alert';
}): JSX.Element | null {
  const { error, log, role } = props;
  return error ? (
    <div className="jp-GpuPerf-failure" data-error={error.code} role={role}>
      <p>{translate(error, 'message')}</p>
      {error.hint ? <Note>{translate(error, 'hint')}</Note> : null}
      {log?.trim() ? (
        <More title={trans.__('End of the log')}>
          <pre>{log}</pre>
        </More>
      ) : null}
    </div>
  ) : null;
}
