/** What the models need of the page; tests bring their own. */
export interface IWorld {
  openSocket(url: string): WebSocket;
  isVisible(): boolean;
  onVisibilityChange(listener: () => void): void;
  random(): number;
}

/** The page itself. */
export const BROWSER: IWorld = {
  openSocket: url => new WebSocket(url),
  isVisible: () => document.visibilityState === 'visible',
  onVisibilityChange: listener =>
    document.addEventListener('visibilitychange', listener),
  random: () => Math.random()
};
