import * as React from 'react';

import { attempt } from '../api/rest';
import { formatAge, formatQuantity } from '../format';
import { trans } from '../translation';
import { usePanel } from './context';
import { Button, Note } from './elements';
import { ErrorLine } from './errors';
import { useRequest } from './request';
import { More } from './section';

const MOST_ROWS = 12;
/** Kinds whose names are not the user's, and are translated. */
const UNNAMED = ['workspace', 'cache', 'context', 'other'];

/** Who holds a notebook's memory, by its own names. Its kernel is asked when this is unfolded. */
export function Owners({ kernel }: { readonly kernel: string }): JSX.Element {
  const [open, setOpen] = React.useState(false);
  return (
    <More
      title={trans.__('Memory by owner')}
      open={open}
      onChange={setOpen}
      data-part="owners"
    >
      <Table kernel={kernel} />
    </More>
  );
}

function Table({ kernel }: { readonly kernel: string }): JSX.Element {
  const { rest, confirm } = usePanel();
  const [round, setRound] = React.useState(0);
  const [freed, setFreed] = React.useState('');
  const { answer, error, setError } = useRequest(
    async () => ({ ...(await rest.memory(kernel)), at: Date.now() / 1000 }),
    [round]
  );
  const free = () =>
    attempt(async () => {
      const { cleared, promised_bytes } = await rest.freeable(kernel);
      const body = trans.__(
        'This clears %1 and frees %2.',
        cleared.map(each => trans.__(each)).join(', ') || '–',
        formatBytes(promised_bytes)
      );
      if (await confirm(trans.__('Free memory?'), body, trans.__('Free'))) {
        const { freed_bytes } = await rest.free(kernel);
        setFreed(trans.__('%1 came free', formatBytes(freed_bytes)));
        setRound(round + 1);
      }
    }).then(setError);
  return (
    <>
      {answer ? (
        <table>
          <tbody>
            {answer.owners.slice(0, MOST_ROWS).map((each, index) => (
              <tr
                key={index}
                title={each.holders.join('\n')}
                data-owner={each.kind}
              >
                <th scope="row">
                  {UNNAMED.includes(each.kind) ? (
                    trans.__(each.name)
                  ) : (
                    <code>{each.name}</code>
                  )}{' '}
                  {trans.__(answer.labels[each.kind])}
                  {each.kind === 'activation' && each.holders.length ? (
                    <div className="jp-GpuPerf-quiet">
                      {trans.__('held by %1', each.holders[0])}
                    </div>
                  ) : null}
                  <div className="jp-GpuPerf-track" aria-hidden="true">
                    <div
                      style={{
                        width: `${(100 * each.bytes) / answer.owners[0].bytes}%`
                      }}
                    />
                  </div>
                </th>
                <td className="jp-GpuPerf-number">{formatBytes(each.bytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      <ErrorLine error={error} />
      <Note>
        {[
          freed,
          answer
            ? trans.__(
                'last look %1 ago',
                formatAge(Date.now() / 1000 - answer.at + answer.age_seconds)
              )
            : error
              ? ''
              : trans.__('Loading…')
        ]
          .filter(Boolean)
          .join(' · ')}
      </Note>
      <div className="jp-GpuPerf-actions">
        <Button onClick={() => setRound(round + 1)}>
          {trans.__('Refresh')}
        </Button>
        <Button
          data-action="free"
          title={trans.__('Clear the history and the last exception')}
          onClick={() => void free()}
        >
          {trans.__('Free')}
        </Button>
      </div>
    </>
  );
}

function formatBytes(bytes: number): string {
  return formatQuantity(bytes, 'bytes');
}
