// Which trials are looked at: pointed at, pinned, and not filtered away. All plots and the table follow.

const selection = {
  pointed: undefined, pinned: undefined, conditions: new Map(), kept: null,

  get shown() { return [...new Set([this.pinned, this.pointed])].filter(each => each !== undefined); },

  has(trial) { return trial === undefined || this.kept === null || this.kept.has(trial); },

  point(trial) {
    if (trial === this.pointed) return;
    this.pointed = trial;
    this.show();
  },

  pin(trial) {
    this.pinned = trial === this.pinned ? undefined : trial;
    this.show();
  },

  show() {
    for (const chart of charts) chart.highlight(this.shown);
    for (const listener of this.shownListeners) listener();
  },

  // A condition is a function of a trial's position; null takes one back.
  filter(name, condition) {
    if (condition) this.conditions.set(name, condition); else this.conditions.delete(name);
    const all = [...this.conditions.values()];
    this.kept = all.length
      ? new Set(DATA.trials.map((_, i) => i).filter(i => all.every(each => each(i)))) : null;
    for (const chart of charts) chart.filter();
    for (const listener of this.filterListeners) listener();
  },

  shownListeners: [], filterListeners: [],
};

// The class that colours a trial by its rank.
function tone(trial) {
  if (trial === DATA.winner) return 'w';
  const { rank } = DATA.trials[trial];
  if (rank === null) return 's0';
  const share = DATA.scored > 1 ? (rank - 1) / (DATA.scored - 1) : 0;
  return 's' + (share <= 0.05 ? 4 : share <= 0.2 ? 3 : share <= 0.45 ? 2 : share <= 0.7 ? 1 : 0);
}

// Trials in the order of drawing: the best last, so that nothing hides them.
function backToFront(trials) {
  const depth = i => i === DATA.winner ? -1 : DATA.trials[i].rank ?? Infinity;
  return [...trials].sort((a, b) => depth(b) - depth(a));
}

function score(value) { return value === null ? 'no score' : short(+value.toFixed(4)); }

function describe(i, more = '') {
  const trial = DATA.trials[i];
  const values = DATA.axes.filter(axis => axis.values[i] !== null)
    .map(axis => `${axis.name} ${axis.scale === 'places' ? axis.labels[axis.values[i]] : short(axis.values[i])}`);
  const rank = trial.rank === null ? '' : `, rank ${trial.rank}`;
  return `Trial ${trial.trial_id}${rank}\n${DATA.objective} ${score(trial.score)}${more}`
    + (values.length && values.length <= 12 ? '\n' + values.join('\n') : '');
}
