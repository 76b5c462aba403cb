import type {
  DevicesChanged,
  Frame,
  Hello,
  SocketError,
  TrainingNow
} from '../api/generated';
import type { News } from './attention';

/** What comes over the live socket. */
export type Message =
  Hello | Frame | DevicesChanged | News | TrainingNow | SocketError;
