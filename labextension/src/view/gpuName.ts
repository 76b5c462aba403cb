import type { DeviceInfo } from '../api/generated';
import { trans } from '../translation';

/** A device by its number, with its machine's name if that is another one. */
export function gpuName({
  index,
  host
}: Pick<DeviceInfo, 'index' | 'host'>): string {
  const name = trans.__('GPU %1', index);
  return host ? `${name} · ${host}` : name;
}
