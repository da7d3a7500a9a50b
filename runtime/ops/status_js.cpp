#include "runtime/ops/status_page.hpp"

namespace rtdp::ops {

const std::string_view status_js = R"js('use strict';
// Reads /api/v1/status once a second and brings the page up to date, cell by cell, so that a
// selection or the focus of a reader stays where it is.

const byId = id => document.getElementById(id);
const element = (name, className) => {
  const e = document.createElement(name);
  if (className) e.className = className;
  return e;
};
const setText = (e, text) => { if (e.textContent !== text) e.textContent = text; };
const known = v => v !== undefined && v !== null && !(v < 0);

// -- numbers for people --

const count = v => known(v) ? Math.round(v).toLocaleString('en-US') : '';
const short = (v, steps, units) => {
  let i = 0;
  while (v >= 1000 && i + 1 < units.length) { v /= steps; i++; }
  return (v < 10 && i > 0 ? v.toFixed(1) : Math.round(v)) + units[i];
};
const rate = v => known(v) ? short(v, 1000, ['', 'k', 'M', 'G']) + '/s' : '';
const bytes = v => known(v) ? short(v, 1024, [' B', ' KB', ' MB', ' GB', ' TB']) : '';
const millis = v => !known(v) ? '' : v < 10 ? v.toFixed(1) + ' ms'
  : v < 1000 ? Math.round(v) + ' ms' : span(v / 1000);
const span = s => !known(s) ? '' : s < 1 ? Math.round(s * 1000) + ' ms'
  : s < 60 ? s.toFixed(1) + ' s'
  : s < 3600 ? Math.floor(s / 60) + ' min ' + Math.floor(s % 60) + ' s'
  : s < 86400 ? Math.floor(s / 3600) + ' h ' + Math.floor(s % 3600 / 60) + ' min'
  : Math.floor(s / 86400) + ' d ' + Math.floor(s % 86400 / 3600) + ' h';

// -- rates: from how counters moved in the last 5 s, and their last minute for the small curves --

const history = new Map();
function moving(key, total, now) {
  if (!known(total)) return undefined;
  let h = history.get(key);
  if (!h || total < h.samples[h.samples.length - 1][1]) {
    h = {samples: [], rates: []};
    history.set(key, h);
  }
  h.samples.push([now, total]);
  while (h.samples.length > 2 && now - h.samples[1][0] >= 5000) h.samples.shift();
  const [t, n] = h.samples[0];
  h.rate = now > t ? (total - n) * 1000 / (now - t) : undefined;
  if (known(h.rate)) h.rates.push(h.rate);
  if (h.rates.length > 60) h.rates.shift();
  return h.rate;
}

// -- cells: each column has a heading and a function that fills its cell --

const plain = (heading, show, className) => ({heading, className,
  fill: (cell, item) => setText(cell, show(item) ?? '')});
const number = (heading, show) => plain(heading, show, 'number');
const warning = (heading, show) => ({heading, className: 'number', fill: (cell, item) => {
  setText(cell, count(show(item)));
  cell.classList.toggle('hot', show(item) > 0);
}});

const tones = {running: 'good', failed: 'bad', starting: 'warn', drifting: 'warn', stopping: 'warn',
  suspended: 'warn', joining: 'warn', trouble: 'bad', lost: 'bad', draining: 'warn', drained: 'warn'};
const state = {heading: 'state', fill: (cell, item) => {
  if (!cell.firstChild) {
    const box = element('div');
    box.append(element('span'), element('div', 'why'));
    cell.append(box);
  }
  const [pill, why] = cell.firstChild.children;
  pill.className = 'pill ' + (tones[item.state] ?? '');
  setText(pill, item.state);
  setText(why, item.reason ?? '');
  why.hidden = !item.reason;
}};

const snapshot = {heading: 'snapshot', fill: (cell, item) => {
  const done = item.snapshot_rows_done, all = item.snapshot_rows_estimated;
  if (!known(done)) return setText(cell, '');
  if (item.snapshot_done) return setText(cell, 'done, ' + count(done) + ' rows');
  if (!cell.querySelector('progress')) {
    cell.textContent = '';
    const box = element('div'), bar = element('progress');
    bar.setAttribute('aria-label', 'snapshot of ' + item.name);
    box.append(bar, element('div', 'detail'));
    cell.append(box);
  }
  const bar = cell.querySelector('progress');
  if (all > 0) { bar.max = Math.max(all, done); bar.value = done; } else bar.removeAttribute('value');
  setText(cell.querySelector('.detail'),
    count(done) + (all > 0 ? ' of about ' + count(all) : '') + ' rows');
}};

// One component may be on several nodes: each has its own streams.
const idOf = item => item.class + '.' + item.name + '@' + item.node;

const throughput = {heading: 'rows/s', className: 'number', fill: (cell, item) => {
  const h = history.get(idOf(item));
  if (!cell.firstChild) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    svg.setAttribute('viewBox', '0 0 72 18');
    svg.setAttribute('aria-hidden', 'true');
    svg.append(document.createElementNS('http://www.w3.org/2000/svg', 'polyline'));
    const box = element('div');
    box.append(svg, element('span'));
    cell.append(box);
  }
  const rates = h?.rates ?? [], top = Math.max(...rates, 1);
  const points = rates.map((r, i) =>
    (12 + 60 - rates.length + i) + ',' + (16.5 - 15 * r / top).toFixed(1));
  cell.querySelector('polyline').setAttribute('points', points.length > 1 ? points.join(' ') : '');
  setText(cell.querySelector('span'), rate(h?.rate));
}};

const lag = number('lag', i =>
  [known(i.lag_rows) ? count(i.lag_rows) + ' rows' : '', span(i.lag_seconds)].filter(t => t).join(', '));
const dead = warning('dead letters', i => i.dead_letters);
const latency = number('latency p50 / p99', i => known(i.latency_p99_ms)
  ? millis(i.latency_p50_ms) + ' / ' + millis(i.latency_p99_ms) : '');
const node = plain('node', i => i.node, 'node');
const lists = {
  flows: [state, node, throughput, lag, latency, dead],
  sources: [state, node, snapshot, throughput, number('lag', i => span(i.lag_seconds)),
    number('log kept', i => bytes(i.retained_bytes))],
  tables: [state, node, snapshot, number('rows', i => count(i.rows_out)),
    number('lag', i => span(i.lag_seconds))],
  streams: [state, node, throughput, lag],
  sinks: [state, node, throughput, number('retries', i => count(i.retries)), dead],
};

// -- the page --

const about = item => item.class === 'flow' && item.source
  ? item.source + ' → ' + (item.sink ?? '') : item.kind ?? '';

function headOf(table, columns) {
  const row = table.createTHead().insertRow();
  for (const {heading: text, className} of [{heading: 'name'}, ...columns]) {
    const th = element('th', className);
    th.scope = 'col';
    th.textContent = text;
    row.append(th);
  }
  table.createTBody();
}

function tableOf(list) {
  let table = byId('table-' + list);
  if (table) return table;
  const section = element('section'), heading = element('h2'), frame = element('div', 'frame');
  table = element('table');
  table.id = 'table-' + list;
  heading.id = 'heading-' + list;
  heading.textContent = list[0].toUpperCase() + list.slice(1);
  table.setAttribute('aria-labelledby', heading.id);
  headOf(table, lists[list]);
  frame.append(table);
  section.append(heading, frame);
  byId('lists').append(section);
  return table;
}

function rowOf(body, columns, item) {
  const found = [...body.rows].find(r => r.dataset.id === idOf(item));
  if (found) return found;
  const row = body.insertRow();
  row.dataset.id = idOf(item);
  const name = element('th');
  name.scope = 'row';
  name.append(element('div'), element('div', 'detail'));
  row.append(name);
  for (const {heading, className} of columns) {
    const cell = row.insertCell();
    cell.className = className ?? '';
    cell.dataset.label = heading;
  }
  return row;
}

function drawRows(table, columns, items, detail) {
  const body = table.tBodies[0], ids = new Set(items.map(idOf));
  for (const row of [...body.rows]) if (!ids.has(row.dataset.id)) row.remove();
  for (const item of items) {
    const row = rowOf(body, columns, item);
    row.className = item.state;
    setText(row.cells[0].children[0], item.name);
    setText(row.cells[0].children[1], detail(item));
    columns.forEach((column, i) => column.fill(row.cells[i + 1], item));
  }
}

function drawList(list, items) {
  const table = tableOf(list);
  table.closest('section').hidden = items.length === 0;
  drawRows(table, lists[list], items, about);
}

// -- the cluster: its nodes, what moves between them, what would be moved --

const load = {heading: 'load', className: 'number', fill: (cell, item) => {
  if (!known(item.cpu_percent)) return setText(cell, '');
  if (!cell.firstElementChild) {
    cell.textContent = '';
    const box = element('div'), bar = element('meter');
    bar.max = 100;
    bar.high = 80;
    bar.setAttribute('aria-label', 'load of ' + item.name);
    box.append(bar, element('span'));
    cell.append(box);
  }
  cell.querySelector('meter').value = Math.min(item.cpu_percent, 100);
  setText(cell.querySelector('span'), Math.round(item.cpu_percent) + '%');
}};
const ago = t => {
  const seconds = (Date.now() - Date.parse(t)) / 1000;
  return !t ? 'never' : seconds < 1 ? 'now' : span(seconds) + ' ago';
};
const nodeColumns = [state, load, number('memory', i => bytes(i.rss_bytes)),
  number('rows/s', i => rate(i.rows_per_s)), number('sources', i => count(i.sources)),
  number('flows', i => count(i.flows)), plain('version', i => i.version),
  plain('last seen', i => ago(i.last_seen))];

const steps = ['prepare', 'freeze', 'commit', 'resume', 'done'];
const ended = {failed: 'bad', cancelled: 'bad'};
const driftId = d => d.flow + '@' + d.started;

function driftOf(list, d) {
  const found = [...list.children].find(e => e.dataset.id === driftId(d));
  if (found) return found;
  const item = element('li', 'drift'), path = element('ol', 'steps');
  item.dataset.id = driftId(d);
  for (const step of steps) {
    const e = element('li');
    e.textContent = step;
    path.append(e);
  }
  const what = element('span', 'what');
  setText(what, d.flow + ': ' + d.from + ' → ' + d.to);
  item.append(what, path, element('span', 'why'));
  return item;
}

function drawDrift(item, d) {
  const at = steps.indexOf(d.step);
  [...item.querySelector('.steps').children].forEach((e, i) => {
    e.className = at < 0 ? '' : i < at || d.step === 'done' ? 'passed' : i === at ? 'now' : '';
  });
  const why = item.querySelector('.why');
  why.classList.toggle('bad', ended[d.step] === 'bad');
  setText(why, [ended[d.step] ? d.step : '', known(d.pause_ms) ? 'paused ' + millis(d.pause_ms) : '',
    d.ended ? ago(d.ended) : 'for ' + span((Date.now() - Date.parse(d.started)) / 1000),
    d.reason].filter(t => t).join(', '));
}

function drawCluster(c) {
  document.body.classList.toggle('clustered', c.clustered);
  byId('cluster').hidden = !c.clustered;
  if (!c.clustered) return;
  const table = byId('table-nodes');
  if (!table.tHead) headOf(table, nodeColumns);
  drawRows(table, nodeColumns, c.nodes.map(n => ({...n, class: 'node', node: n.name})),
    n => n.leader ? 'leader' : '');
  const drifts = c.drifts.filter(d => !d.ended).concat(c.drifts.filter(d => d.ended).slice(0, 5));
  byId('quiet').hidden = drifts.some(d => !d.ended);
  const list = byId('drifts'), items = drifts.map(d => driftOf(list, d));
  items.forEach((item, i) => drawDrift(item, drifts[i]));
  if (items.length !== list.children.length || items.some((e, i) => list.children[i] !== e))
    list.replaceChildren(...items);
  drawLines(byId('plan'), c.plan.map(a => 'would move ' + a.component +
    (a.from ? ' from ' + a.from : '') + ' to ' + a.to + ': ' + a.reason));
}

function drawFigures(s) {
  const sum = (list, f) => list.reduce((a, i) => a + (f(i) ?? 0), 0);
  const most = (list, f) => Math.max(-1, ...list.map(i => f(i) ?? -1));
  const moved = i => history.get(idOf(i))?.rate;
  const letters = sum([...s.sources, ...s.streams, ...s.flows], i => i.dead_letters);
  const total = list => list.some(i => known(moved(i))) ? rate(sum(list, moved)) : '–';
  setText(byId('rate-in'), total(s.sources));
  setText(byId('rate-out'), total(s.flows));
  setText(byId('lag'), span(most(s.flows, i => i.lag_seconds)) || '–');
  setText(byId('p99'), millis(most(s.flows, i => i.latency_p99_ms)) || '–');
  setText(byId('dead'), count(letters));
  byId('dead').classList.toggle('bad', letters > 0);
}

function drawLines(list, lines) {
  if (list.dataset.text !== lines.join('\n')) {
    list.dataset.text = lines.join('\n');
    list.replaceChildren(...lines.map(text => {
      const line = element('li');
      line.textContent = text;
      return line;
    }));
  }
  list.hidden = lines.length === 0;
}

function draw(s) {
  const now = performance.now();
  for (const list of Object.keys(lists))
    for (const i of s[list]) moving(idOf(i), i.rows_out ?? i.rows_in, now);
  const failed = Object.keys(lists).some(list => s[list].some(i => i.state === 'failed'));
  document.title = 'RTDP ' + s.node + (failed ? ' – failed' : s.ready ? '' : ' – not ready');
  setText(byId('node'), s.node);
  const up = (Date.now() - Date.parse(s.started)) / 1000;
  setText(byId('about'), 'version ' + s.version + ', up ' + span(up));
  byId('ready').className = 'pill ' + (s.ready ? 'good' : failed ? 'bad' : 'warn');
  setText(byId('ready'), s.ready ? 'ready' : 'not ready');
  drawLines(byId('reasons'), s.ready ? [] : s.reasons);
  drawLines(byId('alarms'), (s.alarms ?? []).map(a => a.condition + ' of ' + a.component + ' ' + a.name +
    ' for ' + span((Date.now() - Date.parse(a.since)) / 1000) + ': ' + a.text));
  drawFigures(s);
  drawCluster(s.cluster);
  for (const list of Object.keys(lists)) drawList(list, s[list]);
}

async function refresh() {
  try {
    const answer = await fetch('/api/v1/status', {signal: AbortSignal.timeout(5000)});
    if (!answer.ok) throw new Error((await answer.json()).detail);
    draw(await answer.json());
    byId('lost').hidden = true;
  } catch (e) {
    if (byId('lost').hidden)
      setText(byId('lost'), 'No answer since ' + new Date().toLocaleTimeString() + ' (' + e.message +
        '). What is below is old; trying again each second.');
    byId('lost').hidden = false;
  }
  setTimeout(refresh, 1000);
}
refresh();
)js";

} // namespace rtdp::ops
