import { rowLabelOf } from '../format';
import { translated } from '../translation';

type Value = string | number | boolean | null;

/** Names and values, one row each. A row with two values shows the one before and the one after. */
export function Rows(props: {
  rows: readonly (readonly [string, ...Value[]])[];
}): JSX.Element {
  return (
    <table>
      <tbody>
        {props.rows.map(([name, ...values]) => (
          <tr key={name}>
            <th scope="row">{rowLabelOf(name, translated)}</th>
            <td>{values.map(each => String(each ?? '–')).join(' → ')}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
