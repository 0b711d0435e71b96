// The plots themselves.

function plot(id, draw) {
  const holder = document.querySelector(`#${id} .plot`);
  return holder && new Chart(holder, draw);
}

function line(points) { return 'M' + points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join('L'); }

function steps(points) {
  return 'M' + points.map(([x, y], i) => (i ? `H${x.toFixed(1)}V${y.toFixed(1)}` : `${x.toFixed(1)},${y.toFixed(1)}`)).join('');
}

function drawProgress(chart, byTime) {
  const { trials, progress } = DATA;
  const frame = chart.make({ height: 300 });
  const shown = trials.map((trial, i) => i).filter(i => trials[i].score !== null);
  const scores = shown.map(i => trials[i].score);
  const points = [];
  if (byTime) {
    const last = progress.by_time[progress.by_time.length - 1][0];
    const unit = last >= 7200 ? ['hours', 3600] : last >= 120 ? ['minutes', 60] : ['seconds', 1];
    const x = frame.xAxis(scale('linear', 0, last / unit[1], frame.x0, frame.x1), `${unit[0]} of the run`);
    const y = frame.yAxis(scale('linear', ...bounds(progress.by_time.map(step => step[1])), frame.y0, frame.y1));
    const places = progress.by_time.map(([seconds, value]) => [x(seconds / unit[1]), y(value)]);
    frame.marks.append(svg('path', { class: 'best', d: steps(places) }));
    progress.by_time.slice(0, -1).forEach(([seconds, value, trial], i) => {
      const [cx, cy] = places[i];
      if (trial === null) return;
      frame.marks.append(svg('circle', { class: `dot ${tone(trial)}`, cx, cy, r: 4, 'data-trial': trial }));
      points.push({ x: cx, y: cy, trial, text: `${score(value)} after ${short(+(seconds / unit[1]).toFixed(1))} ${unit[0]}\n${describe(trial)}` });
    });
    return points;
  }
  const x = frame.xAxis(scale('linear', 1, Math.max(2, ...progress.by_trial.slice(-1).map(step => step[0])), frame.x0 + 6, frame.x1 - 6), 'trial');
  const y = frame.yAxis(scale('linear', ...bounds([...scores, ...progress.by_trial.map(step => step[1])]), frame.y0, frame.y1));
  for (const i of backToFront(shown)) {
    const cx = x(trials[i].number), cy = y(trials[i].score);
    frame.marks.append(svg('circle', { class: `dot ${tone(i)}`, cx, cy, r: i === DATA.winner ? 5 : 3.5, 'data-trial': i }));
    points.push({ x: cx, y: cy, trial: i, text: describe(i) });
  }
  const best = progress.by_trial.map(([number, value]) => [x(number), y(value)]);
  if (best.length) frame.marks.prepend(svg('path', { class: 'best', d: steps(best) }));
  return points;
}

function drawCurves(chart) {
  const frame = chart.make({ height: 300 });
  const all = DATA.curves.flatMap(curve => curve.values).filter(value => value !== null);
  const longest = Math.max(2, ...DATA.curves.map(curve => curve.values.length));
  const x = frame.xAxis(scale('linear', 1, longest, frame.x0 + 6, frame.x1 - 6, Math.min(longest - 1, 8)), 'epoch');
  const y = frame.yAxis(scale('linear', ...bounds(all), frame.y0, frame.y1));
  for (const epoch of new Set(DATA.curves.flatMap(curve => curve.promoted)))
    frame.back.append(svg('line', { class: 'rung', x1: x(epoch), x2: x(epoch), y1: frame.y1, y2: frame.y0 }));
  const curves = new Map(DATA.curves.map(curve => [curve.trial, curve]));
  const points = [];
  for (const i of backToFront(curves.keys())) {
    const { values, promoted } = curves.get(i);
    const places = values.map((value, e) => value === null ? null : [x(e + 1), y(value)]);
    const present = places.filter(Boolean);
    if (present.length > 1)
      frame.marks.append(svg('path', { class: `trace ${tone(i)}`, d: line(present), 'data-trial': i }));
    const dots = [...promoted, ...(present.length === 1 ? [values.length] : [])];
    for (const epoch of dots) if (places[epoch - 1]) {
      const [cx, cy] = places[epoch - 1];
      frame.marks.append(svg('circle', { class: `dot ${tone(i)}`, cx, cy, r: 2.75, 'data-trial': i }));
    }
    places.forEach((place, e) => place && points.push(
      { x: place[0], y: place[1], trial: i, text: `${score(values[e])} after epoch ${e + 1}\n${describe(i)}` }));
  }
  return points;
}

// Axes stand side by side where there is room for their names, and lie below one another where there is not.
function drawParallel(chart) {
  const goal = { name: DATA.objective, scale: 'linear', values: DATA.trials.map(trial => trial.score) };
  [goal.low, goal.high] = bounds(goal.values.filter(value => value !== null), 0);
  const axes = [...DATA.axes, goal], width = chart.width;
  const lying = width / axes.length < 92;
  const frame = chart.make(lying
    ? { height: 58 * axes.length + 4, left: 10, right: 10, top: 34, bottom: 28 }
    : { height: 360, left: 30, right: 60, top: 44, bottom: 16 });
  chart.holder.classList.toggle('stacked', lying);
  const across = axes.map((_, k) => lying
    ? 30 + 58 * k : frame.x0 + (frame.x1 - frame.x0) * k / Math.max(axes.length - 1, 1));
  const from = lying ? frame.x0 : frame.y0, to = lying ? frame.x1 : frame.y1;
  const spots = axes.map((axis, k) => {
    const inactive = axis.values.some(value => value === null) && k < axes.length - 1;
    const first = inactive ? from + (to - from) * 0.09 : from;
    const position = axis.scale === 'places'
      ? places(axis.labels, first, to) : scale(axis.scale, axis.low, axis.high, first, to, 4);
    if (inactive) position.ticks.unshift([null, '–']);
    const spot = value => value === null ? from : position(value);
    spot.ticks = position.ticks;
    drawParallelAxis(frame, axis, spot, across[k], lying, from, to, axes.length);
    return spot;
  });
  const points = [];
  const shown = DATA.trials.map((_, i) => i).filter(i => DATA.trials[i].score !== null);
  for (const i of backToFront(shown)) {
    const spot = k => lying ? [spots[k](axes[k].values[i]), across[k]] : [across[k], spots[k](axes[k].values[i])];
    const path = axes.map((_, k) => spot(k));
    frame.marks.append(svg('path', { class: `trace ${tone(i)}`, d: line(path), 'data-trial': i }));
    path.forEach(([x, y], k) => { if (k === axes.length - 1) points.push({ x, y, trial: i, text: describe(i) }); });
    // Between two axes lines can be told apart, on an axis many meet.
    path.slice(1).forEach(([x, y], k) => [0.3, 0.5, 0.7].forEach(t => points.push(
      { x: path[k][0] + (x - path[k][0]) * t, y: path[k][1] + (y - path[k][1]) * t, trial: i, text: describe(i), between: true })));
  }
  axes.forEach((axis, k) => addBrush(chart, frame, axis, spots[k], across[k], lying, from, to));
  return points;
}

function drawParallelAxis(frame, axis, spot, at, lying, from, to, count) {
  const { front } = frame, room = lying ? frame.width : frame.width / count;
  front.append(svg('line', lying
    ? { class: 'axis', x1: from, x2: to, y1: at, y2: at } : { class: 'axis', x1: at, x2: at, y1: from, y2: to }));
  const name = lying
    ? svg('text', { x: from, y: at - 8, 'font-weight': 600 }, clipped(axis.name, room))
    : svg('text', { x: at, y: frame.y1 - 22, 'text-anchor': 'middle', 'font-weight': 600 }, clipped(axis.name, room - 8));
  name.append(svg('title', {}, axis.name));
  front.append(name);
  const space = (to - from) / Math.max(spot.ticks.length, 1);
  for (const [value, text] of spot.ticks) {
    const place = spot(value);
    if (lying) {
      const anchor = place < from + 12 ? 'start' : place > to - 12 ? 'end' : 'middle';
      front.append(svg('line', { class: 'axis', x1: place, x2: place, y1: at - 3, y2: at + 3 }),
        svg('text', { x: place, y: at + 15, 'text-anchor': anchor, 'font-size': 11 }, clipped(text, Math.abs(space))));
    } else {
      front.append(svg('line', { class: 'axis', x1: at - 3, x2: at + 3, y1: place, y2: place }),
        svg('text', { x: at + 7, y: place + 4, 'font-size': 11 }, clipped(text, Math.max(room - 16, 40))));
    }
  }
}

// Dragging along an axis keeps the trials in that range; a click takes it back. Fingers scroll instead.
const brushes = new Map();
function addBrush(chart, frame, axis, spot, at, lying, from, to) {
  const low = Math.min(from, to) - 6, length = Math.abs(to - from) + 12;
  const box = (start, size, half) => lying
    ? { x: start, width: size, y: at - half, height: 2 * half } : { y: start, height: size, x: at - half, width: 2 * half };
  const hit = svg('rect', { class: 'hit', ...box(low, length, 11) });
  const band = svg('rect', { class: 'brush', ...box(0, 0, 7) });
  const show = range => {
    const attributes = range ? box(range[0], range[1] - range[0], 7) : box(0, 0, 7);
    for (const [name, value] of Object.entries(attributes)) band.setAttribute(name, value);
  };
  const toPixels = event => {
    const rectangle = frame.svg.getBoundingClientRect(), zoom = frame.width / rectangle.width;
    return lying ? (event.clientX - rectangle.left) * zoom : (event.clientY - rectangle.top) * zoom;
  };
  const keep = range => {
    if (range) brushes.set(axis.name, range); else brushes.delete(axis.name);
    show(range);
    selection.filter('axis ' + axis.name, range && (i => {
      if (axis.values[i] === null && axis.name === DATA.objective) return false;
      const place = spot(axis.values[i]);
      return place >= range[0] && place <= range[1];
    }));
  };
  let start = null;
  hit.addEventListener('pointerdown', event => {
    if (event.pointerType === 'touch') return;
    event.preventDefault();
    start = toPixels(event);
    hit.setPointerCapture(event.pointerId);
  });
  hit.addEventListener('pointermove', event => {
    if (start === null) return;
    const now = toPixels(event);
    if (Math.abs(now - start) > 3) keep([Math.min(start, now), Math.max(start, now)]);
  });
  hit.addEventListener('pointerup', event => {
    if (start !== null && Math.abs(toPixels(event) - start) <= 3) keep(null);
    start = null;
  });
  frame.svg.append(band, hit);
  // Of another width the old pixels mean nothing.
  if (brushes.has(axis.name)) { if (chart.brushWidth === frame.width) show(brushes.get(axis.name)); else keep(null); }
  chart.brushWidth = frame.width;
}

function drawSlice(chart, axis) {
  const shown = DATA.trials.map((_, i) => i).filter(i => DATA.trials[i].score !== null && axis.values[i] !== null);
  const frame = chart.make({ height: chart.width < 200 ? 140 : 170, left: 38, bottom: 24, right: 4 });
  const y = frame.yAxis(scale('linear', ...bounds(DATA.trials.map(trial => trial.score).filter(value => value !== null)), frame.y0, frame.y1, 4));
  const inset = axis.scale === 'places' ? (frame.x1 - frame.x0) / (2 * axis.labels.length) : 8;
  const x = frame.xAxis(axis.scale === 'places'
    ? places(axis.labels, frame.x0 + inset, frame.x1 - inset)
    : scale(axis.scale, axis.low, axis.high, frame.x0 + inset, frame.x1 - inset, 4));
  const points = [];
  const spread = axis.scale === 'places' ? Math.min(inset * 0.6, 14) : 0;
  for (const i of backToFront(shown)) {
    // Beside one another, and at the same place each time.
    const cx = x(axis.values[i]) + spread * (2 * ((i * 0.618034) % 1) - 1), cy = y(DATA.trials[i].score);
    frame.marks.append(svg('circle', { class: `dot ${tone(i)}`, cx, cy, r: i === DATA.winner ? 4.5 : 3, 'data-trial': i }));
    points.push({ x: cx, y: cy, trial: i, text: describe(i) });
  }
  if (axis.scale === 'places') axis.labels.forEach((_, place) => {
    const middle = axis.medians[place];
    if (middle === null) return;
    frame.marks.append(svg('line', { class: 'median', x1: x(place) - spread - 5, x2: x(place) + spread + 5, y1: y(middle), y2: y(middle) }));
  });
  return points;
}

function drawRoc(chart, zoomed) {
  const frame = chart.make({ height: Math.min(340, Math.max(260, chart.width * 0.8)), top: 26 });
  const least = Math.min(...DATA.roc.flatMap(curve => curve.fpr.filter(rate => rate > 0)), 0.1);
  const x = frame.xAxis(zoomed ? scale('log', least, 1, frame.x0, frame.x1) : scale('linear', 0, 1, frame.x0, frame.x1), 'false positive rate');
  const y = frame.yAxis(scale('linear', 0, 1, frame.y0, frame.y1), 'true positive rate');
  if (!zoomed) frame.back.append(svg('line', { class: 'diagonal', x1: x(0), y1: y(0), x2: x(1), y2: y(1) }));
  const points = [];
  DATA.roc.forEach((curve, k) => {
    const spots = curve.fpr.map((rate, i) => [x(zoomed ? Math.max(rate, least) : rate), y(curve.tpr[i])]);
    frame.marks.append(svg('path', { class: `roc ${DATA.roc.length > 1 ? 's' + (4 - k % 4) : ''}`, d: line(spots) }));
    const name = DATA.roc.length > 1 ? curve.name + '\n' : '';
    spots.forEach(([px, py], i) => points.push({ x: px, y: py, text: `${name}finds ${shares(curve.tpr[i])}\nwith ${(100 * curve.fpr[i]).toFixed(2)}% false positives` }));
    for (const [text, fpr, tpr] of curve.marks) {
      const cx = x(zoomed ? Math.max(fpr, least) : fpr), cy = y(tpr);
      frame.marks.append(svg('circle', { class: 'mark', cx, cy, r: 4.5 }));
      points.push({ x: cx, y: cy, text: `${text}\nfinds ${shares(tpr)}\nwith ${(100 * fpr).toFixed(2)}% false positives` });
    }
  });
  return points;
}

function drawCalibration(chart, mended) {
  const frame = chart.make({ height: Math.min(340, Math.max(260, chart.width * 0.8)), top: 26 });
  const shown = mended ? DATA.calibrated : DATA.reliability;
  const low = Math.min(...DATA.reliability.concat(DATA.calibrated).map(point => point.low));
  const x = frame.xAxis(scale('linear', low, 1, frame.x0, frame.x1), 'confidence');
  const bottom = Math.min(low, ...DATA.reliability.concat(DATA.calibrated).map(point => point.accuracy_interval_95[0]));
  const y = frame.yAxis(scale('linear', bottom, 1, frame.y0, frame.y1), 'share that is right');
  const most = Math.max(...shown.map(point => point.images));
  const start = Math.max(low, bottom);
  const points = [];
  for (const point of shown) {
    const tall = (frame.y0 - frame.y1) * 0.22 * point.images / most;
    frame.back.append(svg('rect', { class: 'histogram', x: x(Math.max(point.low, low)) + 1, width: Math.max(1, x(point.high) - x(Math.max(point.low, low)) - 2), y: frame.y0 - tall, height: tall }));
  }
  frame.back.append(svg('line', { class: 'diagonal', x1: x(start), y1: y(start), x2: x(1), y2: y(1) }));
  for (const point of shown) {
    const cx = x(point.confidence), cy = y(point.accuracy), [from, to] = point.accuracy_interval_95;
    const kind = mended ? 'after' : 'before';
    frame.marks.append(svg('line', { class: `whisker ${kind}`, x1: cx, x2: cx, y1: y(from), y2: y(to) }),
      svg('circle', { class: `dot ${kind}`, cx, cy, r: 4.5 }));
    points.push({ x: cx, y: cy, text: `confidence ${shares(point.confidence)}, right ${shares(point.accuracy)}\n95 % ${shares(from)} – ${shares(to)}\n${point.images.toLocaleString('en')} image${point.images === 1 ? '' : 's'}` });
  }
  frame.marks.prepend(svg('path', { class: `trace ${mended ? 'after' : 'before'}`, d: line(shown.map(point => [x(point.confidence), y(point.accuracy)])) }));
  return points;
}

const order = choices('progress', DATA.progress.by_time.length ? ['by trial', 'by time'] : ['by trial'], () => progressChart.redraw());
const progressChart = plot('progress', chart => drawProgress(chart, order.value === 'by time'));
plot('curves', drawCurves);
plot('parallel', drawParallel);
for (const holder of document.querySelectorAll('.slice .plot'))
  new Chart(holder, chart => drawSlice(chart, DATA.axes[+holder.dataset.axis]));
if (DATA.roc.length) {
  const axis = choices('roc', ['linear', 'logarithmic'], () => rocChart.redraw());
  const rocChart = plot('roc', chart => drawRoc(chart, axis.value === 'logarithmic'));
}
if (DATA.reliability.length) {
  const when = choices('calibration', DATA.calibrated.length ? ['as trained', 'at temperature'] : ['as trained'], () => calibrationChart.redraw());
  const calibrationChart = plot('calibration', chart => drawCalibration(chart, when.value === 'at temperature'));
}
const overlays = document.getElementById('overlays');
if (overlays) overlays.addEventListener('change', () =>
  document.getElementById('gallery').classList.toggle('plain', !overlays.checked));
