// Sorts and filters the index; without it the page is the whole list. Texts are only ever compared, never parsed.
(() => {
  const byId = (id) => document.getElementById(id);
  const table = document.querySelector('.index');
  const heads = [...table.tHead.rows[0].cells].filter((cell) => cell.tagName === 'TH');
  const boxes = ['verdict', 'procedure', 'certainty'].map(byId).filter(Boolean);
  const find = byId('find');
  const shown = byId('shown');
  const all = shown.textContent;
  const entries = [...table.tBodies[0].rows].map((row, place) => {
    const [question, verdict, chance] = row.cells;
    const link = question.querySelector('a');
    const named = link.getAttribute('href').startsWith('#') && byId(link.hash.slice(1));
    const procedure = question.querySelector('small');
    return {
      row,
      place,
      part: named ? named.closest('article') : null,
      verdict: verdict.firstChild.data.trim(),
      procedure: procedure ? procedure.textContent.trim() : '',
      certainty: parseFloat(chance.textContent),
      words: null,
    };
  });

  for (const box of boxes.filter((b) => b.id !== 'certainty')) {
    const counts = new Map();
    for (const entry of entries) counts.set(entry[box.id], (counts.get(entry[box.id]) || 0) + 1);
    counts.delete('');
    for (const [value, n] of [...counts].sort(([a], [b]) => a.localeCompare(b))) {
      box.add(new Option(value + ' (' + n + ')', value));
    }
  }
  const isWithin = (certainty, range) => {
    if (range === 'none') return Number.isNaN(certainty);
    const [low, high] = range.split(' ').map(Number);
    return certainty >= low && certainty < high;
  };
  const matches = (entry, words) => {
    for (const { id, value } of boxes) {
      if (value && !(id === 'certainty' ? isWithin(entry.certainty, value) : entry[id] === value)) return false;
    }
    if (!words.length) return true;
    entry.words ??= (entry.row.textContent + ' ' + (entry.part ? entry.part.textContent : '')).toLowerCase();
    return words.every((word) => entry.words.includes(word));
  };
  const filter = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    for (const entry of entries) {
      const holds = matches(entry, words);
      entry.row.hidden = !holds;
      if (entry.part) entry.part.hidden = !holds;
      n += holds;
    }
    shown.textContent = n === entries.length ? all : n ? n + ' of ' + total + ' shown' : 'No question matches';
  };
  const total = entries.length + (entries.length === 1 ? ' question' : ' questions');

  // Words sort by the reader's alphabet, numbers by size; what is not given comes last, whichever way.
  const keyOf = (entry, column) => {
    const text = entry.row.cells[column].textContent.trim();
    return column > 1 ? parseFloat(text) : text.toLowerCase();
  };
  const sort = (head, column) => {
    const now = head.getAttribute('aria-sort');
    for (const other of heads) other.removeAttribute('aria-sort');
    const next = { ascending: 'descending', descending: '' }[now] ?? 'ascending';
    if (next) head.setAttribute('aria-sort', next);
    const sign = next === 'descending' ? -1 : 1;
    const keyed = entries.map((entry) => [next ? keyOf(entry, column) : 0, entry]);
    keyed.sort(([a, x], [b, y]) => {
      const order = Number.isNaN(a) - Number.isNaN(b) || sign * (typeof a === 'string' ? a.localeCompare(b) : a - b);
      return order || x.place - y.place;
    });
    table.tBodies[0].append(...keyed.map(([, entry]) => entry.row));
  };
  heads.forEach((head, column) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener('click', () => sort(head, column));
  });

  for (const box of [find, ...boxes]) box.addEventListener('input', filter);
  byId('clear').addEventListener('click', () => {
    for (const box of [find, ...boxes]) box.value = '';
    filter();
    find.focus();
  });
  const parts = [...document.querySelectorAll('details')];
  const unfold = byId('unfold');
  unfold?.addEventListener('click', () => {
    const open = unfold.getAttribute('aria-pressed') !== 'true';
    unfold.setAttribute('aria-pressed', open);
    for (const part of parts) part.open = open;
  });
  let folded = [];
  addEventListener('beforeprint', () => {
    folded = parts.filter((part) => !part.open);
    for (const part of folded) part.open = true;
  });
  addEventListener('afterprint', () => {
    for (const part of folded) part.open = false;
  });
  byId('controls').hidden = false;
  filter();
})();
