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
  <section id="cluster" hidden>
    <h2 id="heading-nodes">Nodes</h2>
    <div class="frame"><table id="table-nodes" aria-labelledby="heading-nodes"></table></div>
    <h2 id="heading-drifts">Drifts</h2>
    <p id="quiet" class="quiet">All quiet: no flow is moving.</p>
    <ul id="drifts" aria-labelledby="heading-drifts" aria-live="polite"></ul>
    <ul id="plan" class="quiet" aria-label="What placement would move"></ul>
  </section>
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

} // namespace rtdp::ops
