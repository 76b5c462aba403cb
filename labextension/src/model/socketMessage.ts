import type {
  DevicesChanged,
  Frame,
  Hello,
  SocketError,
  TrainingNow
} from '../api/generated';
import type { AttentionMessage } from './attention';
import type { ListMessage } from './lists';

/** Messages on the live socket. */
export type SocketMessage =
  | Hello
  | Frame
  | DevicesChanged
  | AttentionMessage
  | TrainingNow
  | ListMessage
  | SocketError;
