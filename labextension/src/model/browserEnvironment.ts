/** What the models need from the page; tests replace it. */
export interface IBrowserEnvironment {
  openSocket(url: string): WebSocket;
  isVisible(): boolean;
  onVisibilityChange(listener: () => void): void;
  random(): number;
}

/** The environment of a real page. */
export const BROWSER: IBrowserEnvironment = {
  openSocket: url => new WebSocket(url),
  isVisible: () => document.visibilityState === 'visible',
  onVisibilityChange: listener =>
    document.addEventListener('visibilitychange', listener),
  random: () => Math.random()
};
