import * as React from 'react';

import type { LoopSteps, NotebookTraining } from '../api/generated';
import { formatAge, formatQuantity, grouped } from '../format';
import { trans } from '../translation';
import { Band } from './band';
import { usePanel } from './context';
import { Guard } from './guard';
import { rankLocation } from './rankLocation';
import { ErrorLine } from './errors';
import { Section } from './section';
import { StepPhases } from './stepPhases';
import { formatSplit, Split } from './stepSplit';
import { StepTimes } from './steptimes';
import { StepWorth } from './stepWorth';
import { Button, Note } from './elements';

/** A loop counts as stopped after this time without a step, or this many steps' time, if that is longer. */
const STALLED_SECONDS = 15;
const STALLED_STEPS = 3;

/** The commands to type; they are not translated. */
const LOAD = '%load_ext jupyter_gpuperf';
const WATCH = '%gpuwatch on';

/** How fast each watched notebook trains, and what its steps wait for. */
export function TrainingSection(): JSX.Element {
  const { notebooks, error } = usePanel().training;
  return (
    <Section
      id="training"
      title={trans.__('Training')}
      summary={notebooks.length > 1 ? notebooks.length : undefined}
      help="training"
    >
      {notebooks.length === 0 ? (
        <Note>
          {trans.__('To monitor training, run in a notebook:')}{' '}
          <code>{LOAD}</code>
          <br />
          <code>{WATCH}</code>
        </Note>
      ) : null}
      {notebooks.map(notebook => (
        <Guard key={notebook.key}>
          <Notebook notebook={notebook} />
        </Guard>
      ))}
      <ErrorLine error={error} />
    </Section>
  );
}

interface INotebookProps {
  readonly notebook: NotebookTraining;
}

function Notebook({ notebook }: INotebookProps): JSX.Element {
  const [main] = notebook.loaders;
  const now = usePanel().training.now?.time_seconds ?? 0;
  const stalledSeconds = main === undefined ? null : stalledFor(main, now);
  return (
    <article
      className="jp-GpuPerf-training"
      data-notebook={notebook.key}
      data-stalled={stalledSeconds !== null}
    >
      <hgroup>
        <Name notebook={notebook} />
        {main === undefined ? null : <Rate steps={main} />}
      </hgroup>
      {stalledSeconds === null ? null : (
        <p>{trans.__('No step for %1', formatAge(stalledSeconds))}</p>
      )}
      {main === undefined ? (
        <Note>
          {notebook.connected
            ? trans.__('Monitored; no loop is running.')
            : trans.__('No longer monitored.')}
        </Note>
      ) : (
        <Loops notebook={notebook} now={now} />
      )}
      {stalledSeconds === null && canExplain(notebook) ? (
        <Explain notebook={notebook} />
      ) : null}
    </article>
  );
}

function Name({ notebook }: INotebookProps): JSX.Element {
  return (
    <strong title={notebook.notebook_path ?? undefined}>
      {notebook.notebook_path?.split('/').pop() ??
        trans.__('Process %1', notebook.pid ?? '?')}
    </strong>
  );
}

function isRank(steps: LoopSteps): boolean {
  return typeof steps.rank === 'number';
}

/** Ranks and scripts have no cell below which a profile could appear. */
function canExplain(notebook: NotebookTraining): boolean {
  const [main] = notebook.loaders;
  return Boolean(
    notebook.connected && !notebook.is_script && main && !isRank(main)
  );
}

function Explain({ notebook }: INotebookProps): JSX.Element {
  const { training } = usePanel();
  return (
    <Button
      title={trans.__(
        'This slows the profiled steps. The result appears below the running cell.'
      )}
      onClick={() => void training.explain(notebook.key)}
    >
      {trans.__('Profile 5 steps')}
    </Button>
  );
}

/** The main loop in full, and the others on one line each. */
function Loops(props: INotebookProps & { now: number }): JSX.Element {
  const { notebook, now } = props;
  const { training, live } = usePanel();
  const [main, ...others] = notebook.loaders;
  const label = formatSplit(main)
    .map(part => part.label)
    .join(', ');
  return (
    <>
      {label === '' ? null : (
        <Band points={training.band(notebook.key)} now={now} label={label} />
      )}
      <Split steps={main} />
      <StepWorth steps={main} />
      <Epoch steps={main} />
      <StepTimes steps={main} />
      <StepPhases steps={main} />
      <Loader steps={main} location={rankLocation(main, live)} />
      {others.map(each => (
        <OtherLoop
          key={`${each.pid} ${each.loader_id}`}
          steps={each}
          location={rankLocation(each, live)}
        />
      ))}
    </>
  );
}

function Rate({ steps }: IStepsProps): JSX.Element {
  return (
    <span className="jp-GpuPerf-number" data-figure="samples_per_second">
      {steps.samples_per_second === null
        ? trans.__('%1 steps/s', grouped(1 / steps.step_seconds))
        : trans.__('%1 samples/s', grouped(steps.samples_per_second))}
    </span>
  );
}

function stalledFor(steps: LoopSteps, now: number): number | null {
  const age = now - steps.last_seconds;
  const patience = Math.max(
    STALLED_SECONDS,
    STALLED_STEPS * steps.step_seconds
  );
  return age > patience ? age : null;
}

interface IStepsProps {
  readonly steps: LoopSteps;
}

function Epoch({ steps }: IStepsProps): JSX.Element | null {
  const { batches_per_epoch: all, epoch_batches: done } = steps;
  if (all === null || all === 0) {
    return null;
  }
  const left = steps.epoch_left_seconds;
  return (
    <div className="jp-GpuPerf-epoch">
      <progress
        value={Math.min(done, all)}
        max={all}
        aria-label={trans.__('Epoch')}
      />
      <span className="jp-GpuPerf-number">
        {trans.__('batch %1 of %2', done, all)}
        {left !== null && left >= 1
          ? ` · ${trans.__('%1 left', formatAge(left))}`
          : ''}
      </span>
    </div>
  );
}

interface ILocatedProps extends IStepsProps {
  readonly location: string | null;
}

function Loader({ steps, location }: ILocatedProps): JSX.Element {
  if ((steps.bounded_by ?? 'loader') !== 'loader') {
    return (
      <Note data-loader={steps.loader}>
        <code>{steps.loader}</code> ·{' '}
        {location === null ? '' : `${location} · `}
        {steps.bounded_by === 'module'
          ? trans.__('calls of the model, no DataLoader')
          : trans.__('steps of the optimizer, no DataLoader')}
        {peakMemory(steps).map(text => ` · ${text}`)}
      </Note>
    );
  }
  const facts = [
    location,
    steps.batch_size === null ? null : trans.__('batch %1', steps.batch_size),
    trans._n('%1 worker', '%1 workers', steps.num_workers),
    steps.num_workers > 0 && steps.prefetch_factor !== null
      ? trans.__('prefetch %1', steps.prefetch_factor)
      : null,
    steps.worker_threads !== null && steps.worker_threads > 1
      ? trans.__('%1 active threads per worker', steps.worker_threads)
      : null,
    steps.pin_memory ? trans.__('pinned') : null,
    steps.persistent_workers ? trans.__('persistent') : null,
    ...peakMemory(steps)
  ];
  return (
    <Note data-loader={steps.loader}>
      <code>{steps.loader}</code> · {facts.filter(Boolean).join(' · ')}
    </Note>
  );
}

function peakMemory({ peak_allocated_bytes: peak }: LoopSteps): string[] {
  return peak
    ? [trans.__('peak memory %1', formatQuantity(peak, 'bytes'))]
    : [];
}

/** An evaluation, another rank, or anything else that draws batches: one line. */
function OtherLoop({ steps, location }: ILocatedProps): JSX.Element {
  // Show what a rank waits for: other ranks may wait for this rank.
  const waits = location === null ? [] : formatSplit(steps);
  return (
    <Note data-rank={steps.rank ?? undefined}>
      <code>{steps.loader}</code> · {location === null ? '' : `${location} · `}
      {steps.is_training ? '' : `${trans.__('no gradients')} · `}
      {trans.__('step %1', formatQuantity(steps.step_seconds, 'seconds'))}
      {waits.map(({ label }) => ` · ${label}`)}
    </Note>
  );
}
