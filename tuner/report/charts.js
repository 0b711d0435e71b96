// The parts every plot is made of: elements, scales, axes, and points that pointer and keyboard can reach.

const DATA = JSON.parse(document.getElementById('data').textContent);
const tip = document.getElementById('tip');
const charts = [];

function svg(tag, attributes = {}, text) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

// A function from values to pixels, with its ticks as [value, text].
function scale(kind, low, high, from, to, count = 6) {
  if (kind === 'log') {
    const bottom = Math.log10(low), top = Math.log10(high);
    const position = value => from + (to - from) * (Math.log10(value) - bottom) / (top - bottom || 1);
    const steps = top - bottom < 1.5 ? [1, 2, 5] : [1];
    position.ticks = [];
    const every = Math.max(1, Math.ceil((top - bottom) / count));
    for (let power = Math.floor(bottom); power <= top + 1e-9; power += steps.length > 1 ? 1 : every)
      for (const step of steps) {
        const value = step * 10 ** power;
        if (value >= low * 0.999 && value <= high * 1.001) position.ticks.push([value, short(value)]);
      }
    return position;
  }
  const position = value => from + (to - from) * (value - low) / (high - low || 1);
  const rough = (high - low || 1) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find(each => each * power >= rough * 0.999);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  position.ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++)
    position.ticks.push([i * step, digits > 4 ? short(i * step) : (i * step).toFixed(digits)]);
  return position;
}

function places(labels, from, to) {
  const last = labels.length - 1;
  const position = value => last ? from + (to - from) * value / last : (from + to) / 2;
  position.ticks = labels.map((label, i) => [i, label]);
  return position;
}

function short(value) {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e6) return +(value / 1e6).toPrecision(3) + ' M';
  if (size >= 1e4) return +(value / 1e3).toPrecision(3) + ' k';
  return size < 1e-3 ? value.toExponential().replace('e-', 'e−') : String(+value.toPrecision(4));
}

function shares(value) { return (100 * value).toFixed(1) + '%'; }

function clipped(text, room) {
  const most = Math.max(3, Math.floor(room / 6.6));
  return text.length > most ? text.slice(0, most - 1) + '…' : text;
}

// Bounds of numbers with a little air.
function bounds(values, air = 0.04) {
  let low = Infinity, high = -Infinity;
  for (const value of values) { if (value < low) low = value; if (value > high) high = value; }
  const more = (high - low || Math.abs(high) || 1) * air;
  return [low - more, high + more];
}

// A drawing area with axes. x and y are [kind, low, high, title]; places take [labels] for low.
class Frame {
  constructor(holder, width, { height, left = 46, right = 8, top = 8, bottom = 38 }) {
    this.width = Math.max(width, 140);
    this.height = height;
    this.x0 = left; this.x1 = this.width - right; this.y0 = height - bottom; this.y1 = top;
    this.svg = svg('svg', { viewBox: `0 0 ${this.width} ${height}`, 'aria-hidden': 'true' });
    this.back = this.svg.appendChild(svg('g'));
    this.marks = this.svg.appendChild(svg('g', { class: 'marks-layer' }));
    this.top = this.svg.appendChild(svg('g', { class: 'top' }));
    this.front = this.svg.appendChild(svg('g', { class: 'front' }));
    holder.replaceChildren(this.svg);
  }

  xAxis(position, title) {
    const room = (this.x1 - this.x0) / Math.max(position.ticks.length, 1);
    for (const [value, text] of position.ticks) {
      const x = position(value);
      this.back.append(svg('line', { class: 'grid', x1: x, x2: x, y1: this.y1, y2: this.y0 }),
        svg('text', { x, y: this.y0 + 16, 'text-anchor': 'middle' }, clipped(text, room)));
    }
    if (title) this.back.append(
      svg('text', { x: this.x1, y: this.y0 + 33, 'text-anchor': 'end' }, title));
    return position;
  }

  // The title stands above the axis, where the frame has left room.
  yAxis(position, title) {
    if (title) this.back.append(svg('text', { x: 0, y: this.y1 - 12 }, title));
    for (const [value, text] of position.ticks) {
      const y = position(value);
      this.back.append(svg('line', { class: 'grid', x1: this.x0, x2: this.x1, y1: y, y2: y }),
        svg('text', { x: this.x0 - 8, y: y + 4, 'text-anchor': 'end' }, text));
    }
    return position;
  }
}

// A plot that follows the width of the page. `draw` fills its frame and returns the points that can be
// reached: {x, y, text, trial}, trial being absent where a point is not a trial's.
class Chart {
  constructor(holder, draw) {
    this.holder = holder; this.draw = draw; this.points = []; this.at = -1; this.width = 0;
    holder.addEventListener('pointermove', event => this.point(event));
    holder.addEventListener('pointerdown', event => this.point(event));
    holder.addEventListener('pointerleave', () => this.leave());
    holder.addEventListener('keydown', event => this.key(event));
    holder.addEventListener('focus', () => { if (holder.matches(':focus-visible')) this.go(this.start()); });
    holder.addEventListener('blur', () => this.leave());
    // Asking an element for its width would lay out the page anew for each plot; the observer is told.
    new ResizeObserver(([entry]) => {
      const width = Math.floor(entry.contentRect.width);
      if (width && width !== this.width) { this.width = width; this.redraw(); }
    }).observe(holder);
    charts.push(this);
  }

  redraw() {
    if (!this.width) return;
    this.at = -1;
    this.frame = null;
    this.points = this.draw(this) || [];
    this.points.sort((a, b) => a.x - b.x || a.y - b.y);
    this.byTrial = new Map();
    for (const node of this.frame.marks.querySelectorAll('[data-trial]')) {
      const trial = +node.dataset.trial;
      if (!this.byTrial.has(trial)) this.byTrial.set(trial, []);
      this.byTrial.get(trial).push(node);
    }
    this.filter();
    this.highlight(selection.shown);
  }

  make(options) { return this.frame = new Frame(this.holder, this.width, options); }

  start() { return Math.max(0, this.points.findIndex(each => each.trial === DATA.winner)); }

  point(event) {
    const box = this.frame.svg.getBoundingClientRect(), zoom = this.frame.width / box.width;
    const x = (event.clientX - box.left) * zoom, y = (event.clientY - box.top) * zoom;
    let nearest = -1, least = 28 ** 2;
    this.points.forEach((each, i) => {
      const distance = (each.x - x) ** 2 + (each.y - y) ** 2;
      if (distance < least && selection.has(each.trial)) { nearest = i; least = distance; }
    });
    if (nearest < 0) this.leave(); else this.go(nearest);
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === 'Escape') return this.leave();
    if (event.key === 'Enter' && this.at >= 0) return selection.pin(this.points[this.at].trial);
    let next = event.key === 'Home' ? 0 : event.key === 'End' ? this.points.length - 1 : null;
    if (step) {
      next = this.at + step;
      while (this.points[next] && !selection.has(this.points[next].trial)) next += step;
    }
    if (next === null) return;
    event.preventDefault();
    if (this.points[next]) this.go(next);
  }

  go(index) {
    const point = this.points[index];
    if (!point) return;
    this.at = index;
    const box = this.frame.svg.getBoundingClientRect(), zoom = box.width / this.frame.width;
    tip.textContent = point.text;
    tip.hidden = false;
    const x = box.left + point.x * zoom, y = box.top + point.y * zoom, size = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(x + 12, document.documentElement.clientWidth - size.width - 4)) + 'px';
    tip.style.top = (y - size.height - 10 > 0 ? y - size.height - 10 : y + 14) + 'px';
    selection.point(point.trial);
  }

  leave() {
    if (this.at < 0) return;
    this.at = -1;
    tip.hidden = true;
    selection.point(undefined);
  }

  highlight(trials) {
    if (!this.frame) return;
    const found = trials.flatMap(trial => this.byTrial.get(trial) || []);
    this.frame.top.replaceChildren(...found.map(node => {
      const copy = node.cloneNode();
      copy.classList.remove('dim');
      return copy;
    }));
  }

  filter() {
    if (!this.byTrial) return;
    for (const [trial, nodes] of this.byTrial)
      for (const node of nodes) node.classList.toggle('dim', !selection.has(trial));
  }
}

// Buttons above a plot, one of which holds.
function choices(id, names, chosen) {
  const place = document.querySelector(`[data-for="${id}"]`);
  const state = { value: names[0] };
  if (names.length > 1) for (const name of names) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = name;
    button.setAttribute('aria-pressed', name === state.value);
    button.addEventListener('click', () => {
      state.value = name;
      for (const each of place.children) each.setAttribute('aria-pressed', each === button);
      chosen();
    });
    place.append(button);
  }
  return state;
}
