/** Notifies at once, then after a pause once for everything that came meanwhile. */
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
