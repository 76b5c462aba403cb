import * as React from 'react';

import { attempt, RequestError } from '../api/rest';

/**
 * Send a request, and again whenever `dependencies` change; return its answer or its error.
 * `request` returns `null` if nothing needs to be requested now.
 */
export function useRequest<T>(
  request: () => Promise<T> | null,
  dependencies: React.DependencyList
) {
  const [answer, setAnswer] = React.useState<T | null>(null);
  const [error, setError] = React.useState<RequestError | null>(null);
  React.useEffect(() => {
    let stale = false;
    const pending = request();
    if (pending !== null) {
      void attempt(async () => {
        const received = await pending;
        if (!stale) {
          setAnswer(received);
        }
      }).then(error => stale || setError(error));
    }
    return () => {
      stale = true;
    };
  }, dependencies);
  return { answer, error, setError };
}
