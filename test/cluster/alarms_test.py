#!/usr/bin/env python3
"""Alarms of a real node: each condition is told once when it begins and once when it is over, to
servers that may be away, and a restart tells nothing twice."""
import base64
import json
import sqlite3
import time
import unittest

from harness import Case
from receivers import Mail, Webhook, make_certificate

FROZEN = """
sources: {{gen: {{kind: generator, rows_per_second: 500, keys: 50}}}}
sinks: {{dw: {{kind: sqlite, path: {dir}/dw.db}}}}
flows:
  orders: {{source: generator.gen, sink: dw.orders, create: true}}
alarms:
  hold: 1s
  overrides: [{{for: generator.gen, latency: 2s}}]
{channels}
"""
# The file is not there at first: the source fails, and starts once somebody helps.
FAILING = """
sources: {{shop: {{kind: sqlite, path: {dir}/shop.db, tables: [nowhere]}}}}
sinks: {{dw: {{kind: sqlite, path: {dir}/dw.db}}}}
flows:
  orders: {{source: sqlite.shop.main.nowhere, sink: dw.orders, create: true}}
alarms:
  hold: 0
{channels}
"""


class Alarms(Case):
    def webhook(self, **how):
        server = Webhook(**how)
        self.addCleanup(server.close)
        return server

    def mail(self, **how):
        server = Mail(**how)
        self.addCleanup(server.close)
        return server

    def alarms(self, *args):
        return json.loads(self.rtdp("alarms", "--json", *args).stdout)["items"]

    def conditions(self):
        return [(a["condition"], a["component"], a["name"]) for a in self.alarms()]

    def freeze(self):
        """Nobody else may write into the target from now on, as when its disk hangs."""
        db = sqlite3.connect(self.path("dw.db"), timeout=20, isolation_level=None, check_same_thread=False)
        db.execute("BEGIN IMMEDIATE")
        return db

    def events(self, server):
        return [(e["event"], e["condition"], e["component"] + "." + e["name"]) for e in server.received]

    # Failure 4 of test/README.md: skipping for hours while "running".
    def test_a_frozen_sink_is_told_once_to_everybody_and_so_is_its_recovery(self):
        webhook, mail = self.webhook(), self.mail().open()
        file = self.pipeline(FROZEN.format(dir=self.dir, channels=f"""
  webhooks: [{{url: "http://127.0.0.1:{webhook.port}/rtdp", token: "${{env:TOKEN}}"}}]
  mails: [{{server: "smtp://127.0.0.1:{mail.port}", tls: false, from: rtdp@example.com,
           to: [ops@example.com, boss@example.com]}}]"""))
        node = self.start(file, env={"TOKEN": "s3cr3t-t0ken"})
        self.wait("rows arrive", lambda: self.rows("dw.db", "SELECT 1 FROM orders LIMIT 1"), node=node)
        self.assertEqual(self.alarms(), [])
        self.assertEqual(self.rtdp("alarms").stdout, "no alarms\n")
        lock = self.freeze()
        late = ("latency", "table", "generator.gen.main.orders")
        self.wait("the alarm", lambda: self.conditions() == [late], 20, node)
        table = "table.generator.gen.main.orders"
        self.assertIn(f'rtdp_alarms_open{{node="n1",component="{table}",condition="latency"}} 1',
                      node.get("/metrics")[1])
        self.assert_has(self.rtdp("status").stdout, "alarms", "latency", "2s is allowed")
        self.assert_has(self.rtdp("alarms").stdout, "latency", table)
        # Nobody listens at the address of the webhook yet.
        self.wait("it tries", lambda: "webhook 127.0.0.1" in node.log(), node=node)
        webhook.open()
        self.wait("it is told late, but told", lambda: webhook.received, 20, node)
        lock.execute("ROLLBACK")
        self.wait("it is over", lambda: self.alarms() == [], 20, node)
        self.wait("that is told, too", lambda: len(webhook.received) == 2 and len(mail.received) == 2, 20, node)
        self.assertEqual(self.events(webhook), [("began", "latency", table), ("ended", "latency", table)])
        self.assertEqual(len({e["id"] for e in webhook.received}), 2)
        self.assertIsNone(webhook.received[0]["ended"])
        self.assertTrue(webhook.received[1]["ended"])
        self.assertEqual(webhook.requests[-1]["Authorization"], "Bearer s3cr3t-t0ken")
        self.assert_has(mail.received[0]["text"], "Subject: [rtdp n1] latency of table generator.gen",
                        "To: ops@example.com, boss@example.com", "2s is allowed")
        self.assertEqual(len(mail.received[0]["to"]), 2)
        self.assertIn("Subject: [rtdp n1] over: latency", mail.received[1]["text"])
        self.assertEqual([a["condition"] for a in self.alarms("--all")], ["latency"])
        self.assertEqual(node.log().count("alarm: latency of table"), 1)
        self.assertEqual(node.log().count("alarm: over: latency of table"), 1)
        self.assertEqual(node.terminate(), 0)
        self.assertNotIn("s3cr3t", node.log())

    def test_a_failed_source_is_told_once_over_kills_and_its_end_also_when_the_node_was_off(self):
        webhook = self.webhook().open()
        self.sqlite("shop.db", "CREATE TABLE other(id INTEGER PRIMARY KEY)")
        file = self.pipeline(FAILING.format(dir=self.dir, channels=f"""
  webhooks: [{{url: "http://127.0.0.1:{webhook.port}"}}]"""))
        node = self.start(file)
        self.wait("it is told", lambda: webhook.received, 20, node)
        for _ in range(2):
            node.kill()
            node = self.start(file)
            self.wait_state(node, "sources", "shop", "failed")
            self.assertEqual(self.conditions(), [("failed", "source", "shop")])
            # Long enough for several looks.
            time.sleep(3)
        self.assertEqual(self.events(webhook), [("began", "failed", "source.shop")])
        self.assertIn("nowhere", webhook.received[0]["text"])
        node.kill()
        self.sqlite("shop.db", "CREATE TABLE nowhere(id INTEGER PRIMARY KEY)")
        node = self.start(file)
        self.wait("its end is told", lambda: len(webhook.received) == 2, 20, node)
        self.assertEqual(self.events(webhook)[1], ("ended", "failed", "source.shop"))
        self.assertEqual(self.alarms(), [])
        self.assertEqual(node.terminate(), 0)

    def test_what_a_webhook_did_not_take_before_a_kill_is_told_after_it(self):
        webhook = self.webhook()
        self.sqlite("shop.db", "CREATE TABLE other(id INTEGER PRIMARY KEY)")
        file = self.pipeline(FAILING.format(dir=self.dir, channels=f"""
  webhooks: [{{url: "http://127.0.0.1:{webhook.port}"}}]"""))
        node = self.start(file)
        self.wait("the alarm", lambda: self.alarms(), 20, node)
        self.wait("it tries", lambda: "notices wait" in node.log(), node=node)
        node.kill()
        webhook.statuses = [503, 429, 302]
        webhook.open()
        node = self.start(file)
        # 503 and 429 are tried again; a redirect is not followed, and no other address is asked.
        self.wait("it gives up at the redirect", lambda: "a notice is lost" in node.log(), 20, node)
        self.assertIn("found 302", node.log())
        self.assertEqual(webhook.received, [])
        self.assertEqual(len(webhook.requests), 3)
        self.assertEqual(node.terminate(), 0)

    def test_tls_is_verified_and_a_password_goes_over_it(self):
        certificate = make_certificate(self.dir)
        trusted, strange = self.webhook(certificate=certificate).open(), self.webhook(certificate=certificate).open()
        mail = self.mail(certificate=certificate).open()
        self.sqlite("shop.db", "CREATE TABLE other(id INTEGER PRIMARY KEY)")
        file = self.pipeline(FAILING.format(dir=self.dir, channels=f"""
  webhooks:
    - {{url: "https://localhost:{trusted.port}", ca_file: {certificate[0]}}}
    - {{url: "https://localhost:{strange.port}"}}
  mails:
    - {{server: "smtp://localhost:{mail.port}", ca_file: {certificate[0]}, user: "${{env:MAIL_USER}}",
       password: "${{env:MAIL_PASSWORD}}", from: rtdp@example.com, to: [ops@example.com]}}"""))
        node = self.start(file, env={"MAIL_USER": "rtdp", "MAIL_PASSWORD": "s3cr3t-m4il"})
        self.wait("both are told", lambda: trusted.received and mail.received, 20, node)
        self.assertTrue(mail.received[0]["tls"])
        self.assertEqual(base64.b64decode(mail.received[0]["auth"]), b"\0rtdp\0s3cr3t-m4il")
        self.wait("the other is warned of", lambda: "certificate" in node.log(), 20, node)
        self.assertEqual(strange.received, [])
        self.assertNotIn("s3cr3t", node.log())
        self.assertNotIn("s3cr3t", node.get("/api/v1/status")[1] + node.get("/metrics")[1])
        self.assertEqual(node.terminate(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
