import type { LoopSteps } from '../api/generated';
import type { LiveModel } from '../model/live';
import { trans } from '../translation';
import { gpuName } from './gpuName';

/** Where a rank runs; `null` for a loop that is not part of a distributed training. */
export function rankLocation(steps: LoopSteps, live: LiveModel): string | null {
  if (typeof steps.rank !== 'number') {
    return null;
  }
  const device = live.deviceList.find(each => each.uuid === steps.device_uuid);
  return device === undefined
    ? trans.__('Process %1', steps.pid ?? '?')
    : gpuName(device);
}
