const CLOCK: Intl.DateTimeFormatOptions = {
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23'
};
// Created once: that takes longer than drawing a curve.
const MINUTES = new Intl.DateTimeFormat(undefined, CLOCK);
const SECONDS = new Intl.DateTimeFormat(undefined, {
  ...CLOCK,
  second: '2-digit'
});

const DAY = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  day: 'numeric'
});

/**
 * Format times as the reader is used to, with seconds if the ticks are less than a minute apart; the first tick of
 * another day begins with its date, which at midnight is all.
 */
export function timesOf(splits: readonly number[]): string[] {
  const format = splits[1] - splits[0] < 60 ? SECONDS : MINUTES;
  const days = splits.map(time => DAY.format(1000 * time));
  return splits.map((time, i) => {
    const clock = format.format(1000 * time);
    if (i === 0 || days[i] === days[i - 1]) {
      return clock;
    }
    const isMidnight = new Date(1000 * time).toTimeString().startsWith('00:00');
    return isMidnight ? days[i] : `${days[i]} ${clock}`;
  });
}
