import * as React from 'react';

import type { LoaderSteps, NotebookTraining } from '../api/generated';
import { formatSeconds, grouped, plain } from '../format';
import { splitOf } from '../model/training';
import { trans } from '../translation';
import { Band } from './band';
import { usePanel } from './context';
import { placeOf } from './place';
import { formatAge } from './processes';
import { Problem } from './refusal';
import { Section } from './section';
import { StepTimes } from './steptimes';

/** A loop counts as stopped after this time without a step, or after so many of its steps. */
const STANDS_SECONDS = 15;
const STANDS_STEPS = 3;

/** The command to type; the same in every language. */
const LOAD = '%load_ext jupyter_gpuperf';
const WATCH = '%gpuwatch on';

/** Per watched notebook: how fast it trains, and what its steps wait for. */
export function TrainingSection(): JSX.Element {
  const { notebooks, trouble } = usePanel().training;
  return (
    <Section
      id="training"
      title={trans.__('Training')}
      note={notebooks.length > 1 ? notebooks.length : undefined}
    >
      {notebooks.length === 0 ? (
        <p className="jp-GpuPerf-note">
          {trans.__('No training loop is watched. In a notebook:')}{' '}
          <code>{LOAD}</code>, <code>{WATCH}</code>
        </p>
      ) : null}
      {notebooks.map(notebook => (
        <Notebook key={notebook.key} notebook={notebook} />
      ))}
      <Problem of={trouble} />
    </Section>
  );
}

interface INotebookProps {
  readonly notebook: NotebookTraining;
}

function Notebook({ notebook }: INotebookProps): JSX.Element {
  const [main] = notebook.loaders;
  const now = usePanel().training.now?.time_seconds ?? 0;
  const stands = main === undefined ? null : standsFor(main, now);
  return (
    <article
      className="jp-GpuPerf-training"
      data-notebook={notebook.key}
      data-stands={stands !== null}
    >
      <header>
        <Name notebook={notebook} />
        {main === undefined ? null : <Rate steps={main} />}
      </header>
      {stands === null ? null : (
        <p>{trans.__('No step for %1', formatAge(stands))}</p>
      )}
      {main === undefined ? (
        <p className="jp-GpuPerf-note">
          {notebook.connected
            ? trans.__('Watched; no loop has run yet.')
            : trans.__('Not watched any more.')}
        </p>
      ) : (
        <Loops notebook={notebook} now={now} />
      )}
      {/* A rank has no cell below which its profile could appear. */}
      {notebook.connected && main && stands === null && !isRank(main) ? (
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

function isRank(steps: LoaderSteps): boolean {
  return typeof steps.rank === 'number';
}

function Explain({ notebook }: INotebookProps): JSX.Element {
  const { training } = usePanel();
  return (
    <button
      className="jp-mod-styled"
      title={trans.__(
        'Profiles 5 of the next steps, which are slower meanwhile; the result appears below the running cell.'
      )}
      onClick={() => void training.explain(notebook.key)}
    >
      {trans.__('Explain')}
    </button>
  );
}

/** The main loop in full, the others on one line each. */
function Loops(props: INotebookProps & { now: number }): JSX.Element {
  const { notebook, now } = props;
  const { training, live } = usePanel();
  const [main, ...others] = notebook.loaders;
  const label = formatSplit(main)
    .map(part => part.words)
    .join(', ');
  return (
    <>
      <Band points={training.band(notebook.key)} now={now} label={label} />
      <Split steps={main} />
      <Epoch steps={main} />
      <StepTimes steps={main} />
      <Loader steps={main} place={placeOf(main, live)} />
      {others.map(each => (
        <OtherLoop
          key={`${each.pid} ${each.loader_id}`}
          steps={each}
          place={placeOf(each, live)}
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

function standsFor(steps: LoaderSteps, now: number): number | null {
  const age = now - steps.last_seconds;
  const patience = Math.max(STANDS_SECONDS, STANDS_STEPS * steps.step_seconds);
  return age > patience ? age : null;
}

interface IStepsProps {
  readonly steps: LoaderSteps;
}

interface IPart {
  readonly part: 'busy' | 'data' | 'rest';
  readonly words: string;
}

function formatSplit(steps: LoaderSteps): IPart[] {
  const { busy, data, host, of } = splitOf(steps);
  const percent = (share: number) => (100 * share).toFixed(0);
  if (of === 'host') {
    return [
      { part: 'data', words: trans.__('waits for data %1 %', percent(data)) },
      { part: 'rest', words: trans.__('all else %1 %', percent(1 - data)) }
    ];
  }
  const waiting = {
    part: 'data' as const,
    words: trans.__('GPU waits for data %1 %', percent(data))
  };
  return busy === null || host === null
    ? [
        waiting,
        {
          part: 'rest',
          words: trans.__(
            'busy, or waiting for the host %1 %',
            percent(1 - data)
          )
        }
      ]
    : [
        { part: 'busy', words: trans.__('GPU busy %1 %', percent(busy)) },
        waiting,
        {
          part: 'rest',
          words: trans.__('GPU waits for the host %1 %', percent(host))
        }
      ];
}

/** The band's legend, with the current figures. */
function Split({ steps }: IStepsProps): JSX.Element {
  return (
    <>
      <ul className="jp-GpuPerf-split">
        {formatSplit(steps).map(({ part, words }) => (
          <li key={part} data-part={part}>
            {words}
          </li>
        ))}
      </ul>
      {steps.idle_for_data_ratio === null ? (
        <p className="jp-GpuPerf-note">
          {trans.__(
            'By the host alone: the notebook has not used CUDA, so the GPU’s own waiting is not known.'
          )}
        </p>
      ) : steps.busy_ratio === null ? (
        <p className="jp-GpuPerf-note">
          {trans.__('How busy this GPU is can’t be read here.')}
        </p>
      ) : null}
    </>
  );
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

interface IPlacedProps extends IStepsProps {
  readonly place: string | null;
}

function Loader({ steps, place }: IPlacedProps): JSX.Element {
  const facts = [
    place,
    steps.batch_size === null ? null : trans.__('batch %1', steps.batch_size),
    trans._n('%1 worker', '%1 workers', steps.num_workers),
    steps.num_workers > 0 && steps.prefetch_factor !== null
      ? trans.__('prefetch %1', steps.prefetch_factor)
      : null,
    steps.worker_threads !== null && steps.worker_threads > 1
      ? trans.__('%1 threads at work in each', steps.worker_threads)
      : null,
    steps.pin_memory ? trans.__('pinned') : null,
    steps.persistent_workers ? trans.__('persistent') : null
  ];
  return (
    <p className="jp-GpuPerf-note" data-loader={steps.loader}>
      <code>{steps.loader}</code> · {facts.filter(Boolean).join(' · ')}
    </p>
  );
}

/** An evaluation, another rank, or anything else that draws batches: one line. */
function OtherLoop({ steps, place }: IPlacedProps): JSX.Element {
  // For a rank it matters what it waits for: other ranks may wait for it.
  const waits = place === null ? [] : formatSplit(steps);
  return (
    <p className="jp-GpuPerf-note" data-rank={steps.rank ?? undefined}>
      <code>{steps.loader}</code> · {place === null ? '' : `${place} · `}
      {steps.is_training ? '' : `${trans.__('without gradients')} · `}
      {trans.__('step %1', plain(formatSeconds(steps.step_seconds)))}
      {waits.map(({ words }) => ` · ${words}`)}
    </p>
  );
}
