#include "runtime/ops/status_page.hpp"

namespace rtdp::ops {

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
body:not(.clustered) .node { display: none; }
#drifts, #plan { list-style: none; padding: 0; }
#drifts li.drift { background: var(--card); border: 1px solid var(--line); border-radius: .7rem;
  padding: .6rem .8rem; margin-bottom: .5rem; display: flex; flex-wrap: wrap; gap: .3rem 1rem;
  align-items: center; }
#drifts .what { font-weight: 600; overflow-wrap: anywhere; min-width: 12rem; }
.steps { list-style: none; display: flex; flex-wrap: wrap; padding: 0; gap: .3rem; }
.steps li { padding: .05rem .6rem; border-radius: 1rem; border: 1px solid var(--line);
  color: var(--quiet); font-size: .82rem; }
.steps li.passed { color: var(--good); background: var(--good-back); border-color: transparent; }
.steps li.now { color: var(--warn); background: var(--warn-back); border-color: transparent;
  font-weight: 600; }
.why.bad { color: var(--bad); }
meter { width: 5rem; height: .6rem; vertical-align: middle; margin-right: .4rem; }
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

} // namespace rtdp::ops
