// What corruptions do to accuracy and AUROC: a small plot for each, all on one scale.

const FALLING = [['auroc', 'AUROC', value => value.toFixed(4)], ['accuracy', 'accuracy', shares]];

function drawRobustness(chart, corruption) {
  const all = DATA.robustness.flatMap(each => each.levels).flatMap(level => FALLING.flatMap(
    ([key]) => level[key] === null ? [] : [level[key], ...(level[key + '_interval_95'] || [])]));
  const frame = chart.make({ height: chart.width < 200 ? 150 : 180, left: 34, bottom: 24, right: 6 });
  const y = frame.yAxis(scale('linear', Math.min(...all), 1, frame.y0, frame.y1, 5));
  const [untouched, ...levels] = corruption.levels;
  const inset = (frame.x1 - frame.x0) / (2 * levels.length);
  const x = places(levels.map(level => String(level.strength)), frame.x0 + inset, frame.x1 - inset);
  if (chart.width < 200) x.ticks = x.ticks.filter((_, i) => i % 2 === 0);
  frame.xAxis(x);
  const points = [];
  for (const [key, name, text] of FALLING) if (untouched[key] !== null) {
    const at = y(untouched[key]);
    frame.back.append(svg('line', { class: `untouched ${key}`, x1: frame.x0, x2: frame.x1, y1: at, y2: at }));
    const known = levels.map((level, i) => [i, level]).filter(([, level]) => level[key] !== null);
    const bands = known.filter(([, level]) => level[key + '_interval_95']);
    if (bands.length > 1) {
      const edge = side => bands.map(([i, level]) => [x(i), y(level[key + '_interval_95'][side])]);
      frame.marks.append(svg('path', { class: `band ${key}`, d: line([...edge(0), ...edge(1).reverse()]) + 'Z' }));
    }
    frame.marks.append(svg('path', { class: `trace ${key}`, d: line(known.map(([i, level]) => [x(i), y(level[key])])) }));
    for (const [i, level] of known) {
      const cx = x(i), cy = y(level[key]), bounds = level[key + '_interval_95'];
      // Told apart by more than colour.
      frame.marks.append(key === 'auroc'
        ? svg('rect', { class: `dot ${key}`, x: cx - 3.5, y: cy - 3.5, width: 7, height: 7 })
        : svg('circle', { class: `dot ${key}`, cx, cy, r: 4 }));
      points.push({ x: cx, y: cy, text: `${corruption.name} ${level.strength}\n${name} ${text(level[key])}`
        + (bounds ? `, 95 % ${text(bounds[0])} – ${text(bounds[1])}` : '') + `\nuntouched ${text(untouched[key])}` });
    }
  }
  return points;
}

for (const holder of document.querySelectorAll('#corruptions .plot'))
  new Chart(holder, chart => drawRobustness(chart, DATA.robustness[+holder.dataset.corruption]));
