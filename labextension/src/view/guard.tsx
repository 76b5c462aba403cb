import * as React from 'react';

import { trans } from '../translation';
import { Note } from './elements';

/** When to draw again after an error; each error is also printed to the console. */
const RETRY_MS = 10_000;

interface IGuardProps {
  readonly children: React.ReactNode;
}

/** A part that may fail to draw: one odd result must not blank the whole panel. */
export class Guard extends React.Component<IGuardProps, { failed: boolean }> {
  readonly state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  componentDidCatch(): void {
    setTimeout(() => this.setState({ failed: false }), RETRY_MS);
  }

  render(): React.ReactNode {
    return this.state.failed ? (
      <Note role="status">
        {trans.__('Not drawn: see the browser’s console.')}
      </Note>
    ) : (
      this.props.children
    );
  }
}
