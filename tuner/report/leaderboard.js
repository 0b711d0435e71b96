// The table of trials: sorts by its headings, filters by words and comparisons, and follows the plots.

const board = document.querySelector('.trials');
if (board) {
  const body = board.tBodies[0], headings = [...board.tHead.rows[0].cells];
  const rows = [...body.rows].map((row, order) => ({
    row, order, trial: +row.dataset.trial, texts: [...row.cells].map(cell => cell.textContent.trim()),
  }));
  const numeric = text => text !== '' && !Number.isNaN(Number(text.replaceAll(',', '').split('/')[0]))
    ? Number(text.replaceAll(',', '').split('/')[0]) : null;
  const byTrial = new Map(rows.map(each => [each.trial, each]));
  for (const each of rows) each.numbers = each.texts.map(numeric);
  headings.forEach((heading, column) => {
    if (heading.classList.contains('numeric')) for (const { row } of rows) row.cells[column].classList.add('numeric');
  });

  const compare = (a, b, column) => {
    const [x, y] = [a.numbers[column], b.numbers[column]];
    if (x !== null && y !== null) return x - y;
    return a.texts[column].localeCompare(b.texts[column]);
  };
  const sortBy = column => {
    const heading = headings[column], before = heading.getAttribute('aria-sort');
    // What one looks for comes first: the best score, the smallest of all else.
    const first = heading.dataset.key === DATA.objective && DATA.direction === 'max' ? 'descending' : 'ascending';
    const direction = before === null ? first : before === 'ascending' ? 'descending' : 'ascending';
    for (const each of headings) each.removeAttribute('aria-sort');
    heading.setAttribute('aria-sort', direction);
    const sign = direction === 'ascending' ? 1 : -1;
    const empty = each => each.texts[column] === '';
    rows.sort((a, b) => empty(a) - empty(b) || sign * compare(a, b, column) || a.order - b.order);
    body.append(...rows.map(each => each.row));
  };
  headings.forEach((heading, column) =>
    heading.querySelector('button').addEventListener('click', () => sortBy(column)));

  const tests = {
    '<': (a, b) => a < b, '<=': (a, b) => a <= b, '>': (a, b) => a > b, '>=': (a, b) => a >= b,
  };
  const condition = word => {
    const parts = word.match(/^([^<>=]+)(<=|>=|=|<|>)(.+)$/);
    const column = parts ? headings.findIndex(each => each.dataset.key.toLowerCase() === parts[1].toLowerCase()) : -1;
    if (column < 0) return each => each.texts.some(text => text.toLowerCase().includes(word.toLowerCase()));
    const [, , sign, wanted] = parts, value = numeric(wanted);
    if (sign === '=') return each => value !== null && each.numbers[column] !== null
      ? each.numbers[column] === value : each.texts[column].toLowerCase() === wanted.toLowerCase();
    return each => value !== null && each.numbers[column] !== null && tests[sign](each.numbers[column], value);
  };

  const input = document.getElementById('filter'), clear = document.getElementById('clear');
  const shown = document.getElementById('shown');
  input.form.addEventListener('submit', event => event.preventDefault());
  input.addEventListener('input', () => {
    const conditions = input.value.split(/\s+/).filter(Boolean).map(condition);
    selection.filter('words', conditions.length ? i => conditions.every(test => test(byTrial.get(i))) : null);
  });
  clear.addEventListener('click', () => {
    input.value = '';
    brushes.clear();
    for (const name of [...selection.conditions.keys()]) selection.filter(name, null);
    for (const chart of charts) if (chart.brushWidth) chart.redraw();
    input.focus();
  });

  selection.filterListeners.push(() => {
    let left = 0;
    for (const { row, trial } of rows) {
      const kept = selection.has(trial);
      left += kept;
      if (row.hidden === kept) row.hidden = !kept;
    }
    const all = rows.length;
    shown.textContent = left === all ? `${all} trials` : left ? `${left} of ${all} trials` : `none of ${all} trials`;
    clear.hidden = selection.kept === null;
  });
  let before = [];
  selection.shownListeners.push(() => {
    for (const trial of new Set([...before, ...selection.shown])) {
      const { row } = byTrial.get(trial), pinned = selection.pinned === trial;
      row.classList.toggle('on', selection.shown.includes(trial));
      row.classList.toggle('pinned', pinned);
      row.querySelector('.pin').setAttribute('aria-pressed', pinned);
    }
    before = selection.shown;
  });
  for (const { row, trial } of rows) {
    row.addEventListener('pointerenter', () => selection.point(trial));
    row.addEventListener('pointerleave', () => selection.point(undefined));
    const pin = row.querySelector('.pin');
    pin.title = 'Show this trial in all plots';
    pin.addEventListener('click', () => selection.pin(trial));
  }
}
