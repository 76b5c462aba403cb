import * as React from 'react';

import { trans } from '../translation';
import { Note } from './elements';

/** How long to wait before drawing again after an error; each error is also printed to the console. */
const RETRY_MS = 10_000;

interface IGuardProps {
  readonly children: React.ReactNode;
}

/** A part that may fail to draw: one odd result must not blank the whole panel. */
export class Guard extends React.Component<IGuardProps, { failed: boolean }> {
  readonly state = { failed: false };
  private failedAt = 0;

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  componentDidCatch(): void {
    this.failedAt = Date.now();
  }

  componentDidUpdate(previous: IGuardProps): void {
    const changed = previous.children !== this.props.children;
    const waited = Date.now() - this.failedAt >= RETRY_MS;
    if (this.state.failed && changed && waited) {
      this.setState({ failed: false });
    }
  }

  render(): React.ReactNode {
    return this.state.failed ? (
      <Note role="status">
        {trans.__(
          'This part can’t be drawn: it contains values that it should not. The browser’s console has the error.'
        )}
      </Note>
    ) : (
      this.props.children
    );
  }
}
