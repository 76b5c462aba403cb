/** What the models need of the page; tests bring their own. */
export interface IBrowserEnvironment {
  openSocket(url: string): WebSocket;
  isVisible(): boolean;
  onVisibilityChange(listener: () => void): void;
  random(): number;
}

/** The page itself. */
export const BROWSER: IBrowserEnvironment = {
  openSocket: url => new WebSocket(url),
  isVisible: () => document.visibilityState === 'visible',
  onVisibilityChange: listener =>
    document.addEventListener('visibilitychange', listener),
  random: () => Math.random()
};
