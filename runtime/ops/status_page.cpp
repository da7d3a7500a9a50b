#include "runtime/ops/status_page.hpp"

namespace rtdp::ops {

const std::string_view status_html = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>RTDP</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/status.css">
<script src="/status.js" defer></script>
</head>
<body>
<header>
  <h1><span class="mark" aria-hidden="true"></span>RTDP <span id="node"></span></h1>
  <p id="about" class="quiet"></p>
  <p id="ready" class="pill" role="status" aria-live="polite">connecting</p>
</header>
<div id="lost" role="alert" hidden></div>
<ul id="reasons" aria-label="Why the node is not ready" hidden></ul>
<ul id="alarms" aria-label="Open alarms" role="status" hidden></ul>
<main>
  <dl id="figures">
    <div><dt>rows in</dt><dd id="rate-in">–</dd></div>
    <div><dt>rows applied</dt><dd id="rate-out">–</dd></div>
    <div><dt>largest lag</dt><dd id="lag">–</dd></div>
    <div><dt>slowest p99</dt><dd id="p99">–</dd></div>
    <div><dt>dead letters</dt><dd id="dead">–</dd></div>
  </dl>
  <div id="lists"></div>
  <noscript><p>This page needs JavaScript. The same as text: <code>rtdp status</code>, or
  <a href="/api/v1/status">/api/v1/status</a>.</p></noscript>
</main>
<footer class="quiet">
  <a href="/api/v1/status">status as JSON</a> <a href="/metrics">metrics</a>
  <a href="/api/v1/alarms">alarms</a> <a href="/api/v1/dead-letters">dead letters</a>
  <a href="/api/v1/openapi.json">OpenAPI</a>
</footer>
</body>
</html>
)html";

const std::string_view status_css = R"css(
:root {
  --back: #f6f7f9; --card: #fff; --ink: #1b2330; --quiet: #5c6778; --line: #e3e7ec;
  --good: #137a4b; --good-back: #dff5e9; --warn: #8a5a00; --warn-back: #fdf0d2;
  --bad: #b3202c; --bad-back: #fde5e6; --accent: #2563c9;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #10141b; --card: #181e28; --ink: #e4e8ef; --quiet: #98a3b5; --line: #29313e;
    --good: #58d69a; --good-back: #123424; --warn: #f0c15c; --warn-back: #38290a;
    --bad: #ff8a8f; --bad-back: #431a1e; --accent: #74a7ff;
  }
}
* { box-sizing: border-box; margin: 0; }
body { font: 15px/1.45 system-ui, sans-serif; background: var(--back); color: var(--ink);
  max-width: 76rem; margin: 0 auto; padding: 1.25rem; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem 1rem; margin-bottom: 1rem; }
h1 { font-size: 1.3rem; font-weight: 650; display: flex; align-items: center; gap: .5rem; }
h1 #node { color: var(--quiet); font-weight: 400; }
.mark { width: 1.1rem; height: 1.1rem; border-radius: .3rem; background: var(--accent); }
h2 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
.quiet { color: var(--quiet); font-size: .87rem; }
a { color: var(--accent); }
.pill { display: inline-block; padding: .08rem .6rem; border-radius: 1rem; font-size: .82rem;
  font-weight: 600; color: var(--quiet); border: 1px solid var(--line); white-space: nowrap; }
header .pill { margin-left: auto; font-size: .9rem; padding: .15rem .8rem; }
.pill.good { color: var(--good); background: var(--good-back); border-color: transparent; }
.pill.warn { color: var(--warn); background: var(--warn-back); border-color: transparent; }
.pill.bad { color: var(--bad); background: var(--bad-back); border-color: transparent; }
#lost, #reasons, #alarms { background: var(--bad-back); color: var(--bad); border-radius: .6rem;
  padding: .6rem .9rem; margin-bottom: 1rem; overflow-wrap: anywhere; }
#reasons { background: var(--warn-back); color: var(--warn); padding-left: 1.9rem; }
#alarms { padding-left: 1.9rem; }
#figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; }
#figures > div, .frame { background: var(--card); border: 1px solid var(--line);
  border-radius: .7rem; }
#figures > div { padding: .7rem 1rem; }
dt { color: var(--quiet); font-size: .87rem; }
dd { font-size: 1.45rem; font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap; }
dd.bad { color: var(--bad); }
.frame { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .5rem .8rem; border-top: 1px solid var(--line);
  vertical-align: top; }
thead th { border-top: 0; color: var(--quiet); font-size: .82rem; font-weight: 600;
  white-space: nowrap; }
tbody th { font-weight: 600; overflow-wrap: anywhere; min-width: 9rem; }
td:has(progress) { min-width: 15rem; }
.number { text-align: right; white-space: nowrap; }
.why { font-size: .87rem; color: var(--quiet); overflow-wrap: anywhere; max-width: 34rem; }
.detail { font-weight: 400; font-size: .87rem; color: var(--quiet); overflow-wrap: anywhere; }
tr.failed { background: var(--bad-back); }
tr.failed .why, tr.failed th { color: var(--bad); }
tr.failed .pill.bad { color: var(--bad-back); background: var(--bad); }
td.hot { color: var(--bad); font-weight: 600; }
progress { width: 8rem; height: .5rem; accent-color: var(--accent); vertical-align: middle; }
svg { width: 72px; height: 18px; vertical-align: middle; margin-right: .5rem; }
polyline { fill: none; stroke: var(--accent); stroke-width: 1.5; stroke-linejoin: round; }
footer { margin: 2rem 0 1rem; display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; }
@media (max-width: 44rem) {
  body { padding: .8rem; }
  #figures { grid-template-columns: 1fr 1fr; gap: .5rem; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, tbody, tr, th, td { display: block; border: 0; padding: 0; }
  tr { border-top: 1px solid var(--line); padding: .7rem .9rem; }
  tbody tr:first-child { border-top: 0; }
  td { display: flex; justify-content: space-between; gap: 1rem; padding: .15rem 0;
    text-align: right; }
  td::before { content: attr(data-label); color: var(--quiet); font-size: .87rem; flex: none; }
  td:empty { display: none; }
  td.hot::before { font-weight: 400; }
}
)css";

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
  suspended: 'warn'};
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

const throughput = {heading: 'rows/s', className: 'number', fill: (cell, item) => {
  const h = history.get(item.class + '.' + item.name);
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
const lists = {
  flows: [state, throughput, lag, latency, dead],
  sources: [state, snapshot, throughput, number('lag', i => span(i.lag_seconds)),
    number('log kept', i => bytes(i.retained_bytes))],
  tables: [state, snapshot, number('rows', i => count(i.rows_out)),
    number('lag', i => span(i.lag_seconds))],
  streams: [state, throughput, lag],
  sinks: [state, throughput, number('retries', i => count(i.retries)), dead],
};

// -- the page --

const about = item => item.class === 'flow' && item.source
  ? item.source + ' → ' + (item.sink ?? '') : item.kind ?? '';

function tableOf(list) {
  let table = byId('table-' + list);
  if (table) return table;
  const section = element('section'), heading = element('h2'), frame = element('div', 'frame');
  table = element('table');
  table.id = 'table-' + list;
  heading.id = 'heading-' + list;
  heading.textContent = list[0].toUpperCase() + list.slice(1);
  table.setAttribute('aria-labelledby', heading.id);
  const row = table.createTHead().insertRow();
  for (const {heading: text, className} of [{heading: 'name'}, ...lists[list]]) {
    const th = element('th', className);
    th.scope = 'col';
    th.textContent = text;
    row.append(th);
  }
  table.createTBody();
  frame.append(table);
  section.append(heading, frame);
  byId('lists').append(section);
  return table;
}

function rowOf(body, list, item) {
  const found = [...body.rows].find(r => r.dataset.name === item.name);
  if (found) return found;
  const row = body.insertRow();
  row.dataset.name = item.name;
  const name = element('th');
  name.scope = 'row';
  name.append(element('div'), element('div', 'detail'));
  row.append(name);
  for (const {heading, className} of lists[list]) {
    const cell = row.insertCell();
    cell.className = className ?? '';
    cell.dataset.label = heading;
  }
  return row;
}

function drawList(list, items) {
  const table = tableOf(list), body = table.tBodies[0];
  table.closest('section').hidden = items.length === 0;
  const names = new Set(items.map(i => i.name));
  for (const row of [...body.rows]) if (!names.has(row.dataset.name)) row.remove();
  for (const item of items) {
    const row = rowOf(body, list, item);
    row.className = item.state;
    setText(row.cells[0].children[0], item.name);
    setText(row.cells[0].children[1], about(item));
    lists[list].forEach((column, i) => column.fill(row.cells[i + 1], item));
  }
}

function drawFigures(s) {
  const sum = (list, f) => list.reduce((a, i) => a + (f(i) ?? 0), 0);
  const most = (list, f) => Math.max(-1, ...list.map(i => f(i) ?? -1));
  const moved = i => history.get(i.class + '.' + i.name)?.rate;
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
    for (const i of s[list]) moving(i.class + '.' + i.name, i.rows_out ?? i.rows_in, now);
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
