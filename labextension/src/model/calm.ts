/** Notifies at once, then after a pause once for everything that came meanwhile. */
export class Calm {
  private pause: ReturnType<typeof setTimeout> | undefined;
  private unread = false;

  constructor(
    private readonly tell: () => void,
    private readonly pauseMs: number
  ) {}

  news(): void {
    if (this.pause !== undefined) {
      this.unread = true;
      return;
    }
    this.tell();
    this.pause = setTimeout(() => {
      this.pause = undefined;
      if (this.unread) {
        this.unread = false;
        this.news();
      }
    }, this.pauseMs);
  }
}
