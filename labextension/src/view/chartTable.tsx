interface IChartTableProps {
  readonly caption: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A chart's content as an invisible table, for screen readers. */
export function ChartTable({
  caption,
  head,
  rows
}: IChartTableProps): JSX.Element {
  return (
    <div className="jp-GpuPerf-hidden">
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            {head.map(each => (
              <th key={each} scope="col">
                {each}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i}>
              {row.map((cell, j) => (
                <td key={j}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
