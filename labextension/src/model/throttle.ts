/** Notifies at once. After that, it notifies at most once per pause, for all triggers since. */
export class Throttle {
  private pause: ReturnType<typeof setTimeout> | undefined;
  private pending = false;

  constructor(
    private readonly notify: () => void,
    private readonly pauseMs: number
  ) {}

  trigger(): void {
    if (this.pause !== undefined) {
      this.pending = true;
      return;
    }
    this.notify();
    this.pause = setTimeout(() => {
      this.pause = undefined;
      if (this.pending) {
        this.pending = false;
        this.trigger();
      }
    }, this.pauseMs);
  }
}
