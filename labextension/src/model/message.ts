import type {
  DevicesChanged,
  Frame,
  Hello,
  SocketError,
  TrainingNow
} from '../api/generated';
import type { News } from './attention';
import type { ListMessage } from './lists';

/** Messages on the live socket. */
export type Message =
  | Hello
  | Frame
  | DevicesChanged
  | News
  | TrainingNow
  | ListMessage
  | SocketError;
