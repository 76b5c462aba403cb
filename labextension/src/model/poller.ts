const LONGEST_WAIT_MS = 15000;

/** Asks repeatedly, with growing pauses while there is no answer. */
export class Poller {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private run: object | null = null;

  /** @param ask returns whether there was an answer */
  constructor(private readonly ask: () => Promise<boolean>) {}

  get running(): boolean {
    return this.run !== null;
  }

  start(intervalMs: number): void {
    if (this.run === null) {
      this.run = {};
      void this.turn(this.run, intervalMs, intervalMs);
    }
  }

  stop(): void {
    this.run = null;
    clearTimeout(this.timer);
  }

  private async turn(
    run: object,
    intervalMs: number,
    waitMs: number
  ): Promise<void> {
    const nextMs = (await this.ask())
      ? intervalMs
      : Math.min(LONGEST_WAIT_MS, 2 * waitMs);
    if (this.run === run) {
      this.timer = setTimeout(
        () => void this.turn(run, intervalMs, nextMs),
        nextMs
      );
    }
  }
}
