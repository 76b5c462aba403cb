import { ServerConnection } from '@jupyterlab/services';

import type {
  AlertsChanged,
  Benchmarks,
  Catalog,
  Devices,
  DoctorReport,
  ErrorInfo,
  FindingsChanged,
  ExplainRequest,
  Frame,
  FreeableMemory,
  FreedMemory,
  History,
  JobInfo,
  JobRequest,
  Jobs,
  KernelMemory,
  Processes,
  RecordingInfo,
  RecordingRequest,
  Recordings,
  ResultComparison,
  SuiteInfo,
  SuiteReport,
  SuiteRequest,
  Suites,
  Training,
  Version
} from './generated';
import { trans } from '../translation';

/** An error from the server: what happened, and what to do. */
export class RequestError extends Error {
  readonly code: string;
  readonly hint: string;
  readonly message_message?: ErrorInfo['message_message'];
  readonly hint_message?: ErrorInfo['hint_message'];

  constructor(error: ErrorInfo) {
    super(error.message);
    this.code = error.code;
    this.hint = error.hint;
    this.message_message = error.message_message;
    this.hint_message = error.hint_message;
  }
}

/** The REST routes below `<base_url>gpuperf/`. */
export class Rest {
  constructor(readonly settings: ServerConnection.ISettings) {}

  readonly version = () => this.call<Version>('version');

  readonly catalog = () => this.call<Catalog>('catalog');

  readonly devices = () => this.call<Devices>('devices');

  readonly latest = () => this.call<Frame>('latest');

  /** The last `seconds` of these metrics, in steps of `stepSeconds`. */
  history(
    seconds: number,
    stepSeconds: number,
    metrics: readonly string[]
  ): Promise<History> {
    const query = new URLSearchParams({
      seconds: String(seconds),
      step_seconds: String(stepSeconds),
      metrics: metrics.join(',')
    });
    return this.call<History>(`history?${query}`);
  }

  readonly alerts = () => this.call<AlertsChanged>('alerts');

  readonly findings = () => this.call<FindingsChanged>('findings');

  readonly processes = () => this.call<Processes>('processes');

  /** Who holds the memory of a notebook; its kernel answers. */
  readonly memory = (kernel: string) =>
    this.call<KernelMemory>(`memory?kernel=${kernel}`);

  /** What freeing would clear. */
  readonly freeable = (kernel: string) =>
    this.call<FreeableMemory>(`memory/free?kernel=${kernel}`);

  /** Clear a notebook's history of results and its last exception. */
  readonly free = (kernel: string) =>
    this.post<FreedMemory>('memory/free', { kernel });

  /** Examine an environment; an empty name means the server's own. `refresh` makes a new report. */
  doctor(kernel: string, refresh: boolean): Promise<DoctorReport> {
    const path = `doctor?${new URLSearchParams({ kernel })}`;
    return refresh
      ? this.post<DoctorReport>(path, {})
      : this.call<DoctorReport>(path);
  }

  /** The watched training loops, and their history over the last `seconds`. */
  readonly training = (seconds: number) =>
    this.call<Training>(`training?seconds=${seconds}`);

  /** Have a notebook profile its next steps; the result appears below its running cell. */
  readonly explain = (request: ExplainRequest) =>
    this.post<ExplainRequest>('training/explain', request);

  readonly benchmarks = () => this.call<Benchmarks>('benchmarks');

  readonly jobs = () => this.call<Jobs>('jobs');

  readonly run = (request: JobRequest) => this.post<JobInfo>('jobs', request);

  readonly cancel = (jobId: string) => this.delete<JobInfo>(`jobs/${jobId}`);

  /** Compare a stored result with `other`, or if null, with the baseline or the previous result. */
  comparison(id: number, other: number | null): Promise<ResultComparison> {
    const query = other === null ? '' : `?with=${other}`;
    return this.call<ResultComparison>(`results/${id}/comparison${query}`);
  }

  /** Make this result the baseline for later results like it. */
  async markBaseline(id: number): Promise<void> {
    await this.call(`results/${id}/baseline`, { method: 'PUT' });
  }

  readonly suites = () => this.call<Suites>('suites');

  readonly runSuite = (request: SuiteRequest) =>
    this.post<SuiteInfo>('suites', request);

  readonly cancelSuite = (id: string) => this.delete<SuiteInfo>(`suites/${id}`);

  /** The results of a suite so far. */
  readonly suiteReport = (id: string) => this.call<SuiteReport>(`suites/${id}`);

  /** The URL from which the browser downloads a suite's page. */
  suitePageUrl(id: string): string {
    return this.fileUrl(`suites/${id}/page`);
  }

  readonly recordings = () => this.call<Recordings>('recordings');

  readonly startRecording = (request: RecordingRequest = {}) =>
    this.post<RecordingInfo>('recordings', request);

  /** Stop a recording and keep its file. */
  readonly stopRecording = (id: string) =>
    this.delete<RecordingInfo>(`recordings/${id}`);

  /** Stop a recording and delete its file. */
  readonly discardRecording = (id: string) =>
    this.delete<RecordingInfo>(`recordings/${id}?discard=1`);

  /** The URL from which the browser downloads a recording. */
  recordingUrl(id: string): string {
    return this.fileUrl(`recordings/${id}`);
  }

  /** The URL of the live socket. */
  socketUrl(intervalMs: number): string {
    const { wsUrl } = this.settings;
    return this.withToken(wsUrl, `live?interval_ms=${intervalMs}`);
  }

  private fileUrl(path: string): string {
    return this.withToken(this.settings.baseUrl, path);
  }

  /** A URL that contains the token, for requests to which our code can't add headers. */
  private withToken(base: string, path: string): string {
    const { appendToken, token } = this.settings;
    const url = new URL(under(base, path));
    if (appendToken && token !== '') {
      url.searchParams.set('token', token);
    }
    return url.href;
  }

  private delete<T>(path: string): Promise<T> {
    return this.call<T>(path, { method: 'DELETE' });
  }

  private post<T>(path: string, body: object): Promise<T> {
    return this.call<T>(path, { method: 'POST', body: JSON.stringify(body) });
  }

  private async call<T>(path: string, init: RequestInit = {}): Promise<T> {
    const url = under(this.settings.baseUrl, path);
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(url, init, this.settings);
    } catch {
      throw new RequestError({
        code: 'unreachable',
        message: trans.__('The Jupyter server does not respond.'),
        hint: trans.__('Check that it is running.')
      });
    }
    const text = await response.text();
    if (!response.ok) {
      throw requestErrorOf(response.status, text);
    }
    return JSON.parse(text) as T;
  }
}

/** Run an action; return its error, or null if it succeeded. */
export async function attempt(
  action: () => Promise<unknown>
): Promise<RequestError | null> {
  try {
    await action();
    return null;
  } catch (error) {
    return error instanceof RequestError
      ? error
      : new RequestError({
          code: 'unexpected',
          message: String(error),
          hint: ''
        });
  }
}

function under(base: string, path: string): string {
  return `${base.replace(/\/?$/, '/')}gpuperf/${path}`;
}

function requestErrorOf(status: number, text: string): RequestError {
  try {
    const body = JSON.parse(text) as Partial<ErrorInfo>;
    if (body.code && body.message) {
      return new RequestError({ hint: '', ...body } as ErrorInfo);
    }
  } catch {
    // A proxy may answer with HTML instead of JSON; then the status has to suffice.
  }
  return new RequestError({
    code: `http_${status}`,
    message: trans.__('The server returned status %1.', status),
    hint:
      status === 404
        ? trans.__(
            'To enable the server extension, run jupyter server extension enable jupyter_gpuperf'
          )
        : ''
  });
}
